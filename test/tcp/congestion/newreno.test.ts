import { describe, expect, it } from 'vitest';
import { createController, type AckSample, type CongestionController } from '../../../src/tcp/congestion/controller.ts';

const SMSS = 1000;

function newReno(): CongestionController {
  return createController('newreno', { smssBytes: SMSS, initialWindowSegments: 10 });
}

function ack(controller: CongestionController, ackedBytes: number, fields: Partial<AckSample> = {}): void {
  controller.onAck({
    now: 0, ackedBytes, deliveredBytes: ackedBytes, priorInFlightBytes: 0, isWindowLimited: true, isInRecovery: false, rttMs: 0, ...fields,
  });
}

describe('NewReno (RFC 5681, RFC 6582)', () => {
  it('starts with ten segments (RFC 6928)', () => {
    expect([newReno().cwnd, newReno().ssthresh]).toEqual([10 * SMSS, Infinity]);
  });

  it('doubles each round trip in slow start (RFC 5681, 3.1)', () => {
    const controller = newReno();
    for (let round = 0; round < 3; round++) {
      for (let window = controller.cwnd; window > 0; window -= 2 * SMSS) ack(controller, 2 * SMSS);
    }
    expect(controller.cwnd).toBe(80 * SMSS);
  });

  it('grows by one segment, not by a burst, when one ACK covers what was repaired after a timeout (RFC 3465, L = 1)', () => {
    const controller = newReno();
    controller.onTimeout(0, 400 * SMSS);
    ack(controller, 150 * SMSS, { isInRecovery: true });
    expect(controller.cwnd).toBe(2 * SMSS);
  });

  it('halves FlightSize on loss (equation 4), never below two segments', () => {
    const controller = newReno();
    controller.onLoss(0, 20 * SMSS);
    expect([controller.cwnd, controller.ssthresh]).toEqual([10 * SMSS, 10 * SMSS]);
    controller.onLoss(0, 3 * SMSS);
    expect([controller.cwnd, controller.ssthresh]).toEqual([2 * SMSS, 2 * SMSS]);
  });

  it('falls to one segment on a timeout, then slow-starts to ssthresh and not beyond', () => {
    const controller = newReno();
    controller.onTimeout(0, 20 * SMSS);
    expect([controller.cwnd, controller.ssthresh]).toEqual([SMSS, 10 * SMSS]);
    for (let i = 0; i < 9; i++) ack(controller, SMSS, { isInRecovery: true });
    expect(controller.cwnd).toBe(10 * SMSS);
    ack(controller, 8 * SMSS, { isInRecovery: true });
    expect(controller.cwnd).toBe(10 * SMSS);
  });

  it('grows by one segment a round trip in congestion avoidance, counting bytes (RFC 3465)', () => {
    const controller = newReno();
    controller.onLoss(0, 20 * SMSS);
    for (let i = 0; i < 9; i++) ack(controller, SMSS);
    expect(controller.cwnd).toBe(10 * SMSS);
    ack(controller, SMSS);
    expect(controller.cwnd).toBe(11 * SMSS);
    for (let i = 0; i < 22; i++) ack(controller, SMSS / 2);
    expect(controller.cwnd).toBe(12 * SMSS);
  });

  it('does not grow in fast recovery', () => {
    const controller = newReno();
    controller.onLoss(0, 20 * SMSS);
    for (let i = 0; i < 100; i++) ack(controller, SMSS, { isInRecovery: true });
    expect(controller.cwnd).toBe(10 * SMSS);
  });

  it('takes a false alarm back', () => {
    const controller = newReno();
    controller.onTimeout(0, 10 * SMSS);
    controller.onUndo(1);
    expect([controller.cwnd, controller.ssthresh]).toEqual([10 * SMSS, Infinity]);
  });

  it('restarts with the initial window after idleness (RFC 5681, 4.1)', () => {
    const controller = newReno();
    for (let i = 0; i < 40; i++) ack(controller, SMSS);
    controller.onIdle(0);
    expect(controller.cwnd).toBe(10 * SMSS);
    controller.onLoss(0, 4 * SMSS);
    controller.onIdle(0);
    expect(controller.cwnd).toBe(2 * SMSS);
  });
});
