import { describe, expect, it } from 'vitest';
import { DELAYED_ACK, RETRANSMIT, TIME_WAIT_END, TIMER_NAMES, TimerTable } from '../../src/tcp/timers.ts';

describe('timers', () => {
  it('are off at first', () => {
    const timers = new TimerTable();
    expect(timers.next()).toBe(Infinity);
    for (let i = 0; i < TIMER_NAMES.length; i++) {
      expect(timers.isSet(i as 0)).toBe(false);
      expect(timers.isDue(i as 0, Number.MAX_VALUE)).toBe(false);
    }
  });

  it('are due from their deadline on, and the earliest counts', () => {
    const timers = new TimerTable();
    timers.set(RETRANSMIT, 200);
    timers.set(DELAYED_ACK, 40.5);
    timers.set(TIME_WAIT_END, 4000);
    expect(timers.next()).toBe(40.5);
    expect([timers.isDue(DELAYED_ACK, 40), timers.isDue(DELAYED_ACK, 40.5)]).toEqual([false, true]);
    timers.clear(DELAYED_ACK);
    expect(timers.next()).toBe(200);
    timers.set(RETRANSMIT, 300);
    expect(timers.at(RETRANSMIT)).toBe(300);
    timers.clearAll();
    expect(timers.next()).toBe(Infinity);
  });
});
