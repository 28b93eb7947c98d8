import { describe, expect, it } from 'vitest';
import { createController } from '../../../src/tcp/congestion/controller.ts';

describe('fixed window', () => {
  it('is 256 segments, or as many as asked for, and stays so', () => {
    const options = { smssBytes: 1420, initialWindowSegments: 10 };
    expect(createController('fixed', options).cwnd).toBe(256 * 1420);
    const controller = createController('fixed:3', options);
    controller.onLoss(0, 5000);
    controller.onTimeout(0, 5000);
    controller.onIdle(0);
    expect([controller.cwnd, controller.ssthresh]).toEqual([3 * 1420, Infinity]);
  });
});
