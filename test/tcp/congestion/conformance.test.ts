import { describe, expect, it } from 'vitest';
import {
  CONTROLLER_NAMES, createController, type AckSample, type CongestionController,
} from '../../../src/tcp/congestion/controller.ts';
import { createRandom } from '../../../src/core/random.ts';

const SMSS = 1000;
const OPTIONS = { smssBytes: SMSS, initialWindowSegments: 10 };

function sample(fields: Partial<AckSample>): AckSample {
  const ackedBytes = fields.ackedBytes ?? SMSS;
  return {
    now: 0, ackedBytes, deliveredBytes: ackedBytes, priorInFlightBytes: 10 * SMSS, isWindowLimited: true, isInRecovery: false, rttMs: 50, ...fields,
  };
}

/** What every controller owes the sender, whatever its algorithm. */
describe.each(CONTROLLER_NAMES)('congestion controller %s', (name) => {
  const make = (): CongestionController => createController(name, OPTIONS);

  it('names itself and begins with at least one segment', () => {
    const controller = make();
    expect(controller.name).toBe(name);
    expect(controller.cwnd).toBeGreaterThanOrEqual(SMSS);
    expect(controller.pacingRate).toBeGreaterThan(0);
  });

  it('never lets less than one segment go, nor anything that is not a number (ssthresh=0)', () => {
    const random = createRandom(1);
    const controller = make();
    for (let i = 0; i < 20_000; i++) {
      const flight = random.chance(0.2) ? 0 : random.below(200 * SMSS);
      switch (random.below(7)) {
        case 0: controller.onLoss(i, flight); break;
        case 1: controller.onTimeout(i, flight); break;
        case 2: controller.onUndo(i); break;
        case 3: controller.onRecoveryExit(i); break;
        case 4: controller.onIdle(i); break;
        case 5: controller.onSent(i, SMSS, flight); break;
        default:
          controller.onAck(sample({ now: i, ackedBytes: random.below(20 * SMSS), isWindowLimited: random.chance(0.7), isInRecovery: random.chance(0.3) }));
      }
      if (!(controller.cwnd >= SMSS) || controller.cwnd === Infinity) expect.fail(`cwnd ${controller.cwnd} in step ${i}`);
      if (!(controller.ssthresh >= 2 * SMSS)) expect.fail(`ssthresh ${controller.ssthresh} in step ${i}`);
    }
  });

  it('does not grow while the window is not what limits the sender', () => {
    const controller = make();
    const before = controller.cwnd;
    for (let i = 0; i < 100; i++) controller.onAck(sample({ now: i, isWindowLimited: false }));
    expect(controller.cwnd).toBe(before);
  });

  it('does not shrink by ACKs', () => {
    const controller = make();
    controller.onLoss(0, 40 * SMSS);
    controller.onRecoveryExit(1);
    let before = controller.cwnd;
    for (let i = 0; i < 1000; i++) {
      controller.onAck(sample({ now: i }));
      if (controller.cwnd < before) expect.fail(`from ${before} to ${controller.cwnd}`);
      before = controller.cwnd;
    }
  });

  it('does the same for the same events', () => {
    const [a, b] = [make(), make()];
    for (const controller of [a, b]) {
      for (let i = 0; i < 50; i++) controller.onAck(sample({ now: i }));
      controller.onLoss(50, controller.cwnd);
      for (let i = 51; i < 100; i++) controller.onAck(sample({ now: i }));
    }
    expect([a.cwnd, a.ssthresh]).toEqual([b.cwnd, b.ssthresh]);
  });
});

describe('the choice of a controller', () => {
  it('refuses names and arguments it does not know', () => {
    expect(() => createController('reno', OPTIONS)).toThrow(/no congestion controller 'reno': use one of newreno, fixed/);
    expect(() => createController('', OPTIONS)).toThrow(RangeError);
    expect(() => createController('constructor', OPTIONS)).toThrow(RangeError);
    expect(() => createController('newreno:3', OPTIONS)).toThrow(RangeError);
    for (const bad of ['fixed:', 'fixed:0', 'fixed:-1', 'fixed:1.5', 'fixed:x', 'fixed:65537']) {
      expect(() => createController(bad, OPTIONS), bad).toThrow(RangeError);
    }
  });
});
