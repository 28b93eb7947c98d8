import { describe, expect, it } from 'vitest';

import { Ballot } from '../../../src/group/client/ballot.ts';
import { bytes, reply } from './script.ts';

describe('a ballot', () => {
  it('counts each member once, and its first word', () => {
    const ballot = new Ballot(3, 2, false);
    ballot.cast('m1', reply('ok', 'x'));
    ballot.cast('m1', reply('ok', 'x'));
    expect(ballot.answer).toBeUndefined();
    ballot.cast('m2', reply('ok', 'y'));
    ballot.cast('m2', reply('ok', 'x'));
    expect(ballot.answer).toBeUndefined();
    ballot.cast('m3', reply('ok', 'x'));
    expect(ballot.answer).toEqual(reply('ok', 'x'));
  });

  it.each([[reply('refused', 'x')], [reply('ok', 'y')], [reply('ok', 'xx')], [reply('ok', 'x', 1)]])('tells answers apart that differ in anything but the digest', (other) => {
    const ballot = new Ballot(2, 2, false);
    ballot.cast('m1', reply('ok', 'x'));
    ballot.cast('m2', other);
    expect(ballot.answer).toBeUndefined();
    expect(ballot.isHopeless).toBe(true);
    const equal = new Ballot(2, 2, false);
    equal.cast('m1', { ...other, digest: bytes('one') });
    equal.cast('m2', { ...other, digest: bytes('another') });
    expect(equal.answer).toEqual(other);
  });

  it('is hopeless as soon as nothing that is still to come can decide it, and not before', () => {
    const ballot = new Ballot(5, 3, false);
    ballot.cast('m1', reply('ok', 'x'));
    ballot.cast('m2', reply('ok', 'y'));
    ballot.cast('m3', reply('ok', 'x'));
    expect(ballot.isHopeless).toBe(false);
    ballot.cast('m4', reply('ok', 'y'));
    expect(ballot.isHopeless).toBe(false);
    ballot.cast('m5', reply('ok', 'z'));
    expect(ballot.isHopeless).toBe(true);
    expect(ballot.describe()).toBe('m1 and m3: ok "x"; m2 and m4: ok "y"; m5: ok "z"');
  });

  it('with members that may truly say several things has votes for each', () => {
    const ballot = new Ballot(3, 2, true);
    ballot.cast('m1', reply('ok', '', 5));
    ballot.cast('m2', reply('ok', '', 6));
    ballot.cast('m3', reply('ok', '', 7));
    expect([ballot.answer, ballot.isHopeless]).toEqual([undefined, false]);
    ballot.cast('m2', reply('ok', '', 7));
    expect(ballot.answer?.offset).toBe(7);
  });

  it('is bounded, however many names are made up', () => {
    const ballot = new Ballot(64, 64, false);
    for (let i = 0; i < 1000; i++) {
      ballot.cast(`liar ${i}`, reply('ok', String(i)));
      ballot.refuse(`coward ${i}`, reply('unavailable'));
    }
    expect(ballot.describe().split('; ')).toHaveLength(128);
  });

  it('shows long answers by their beginnings', () => {
    const ballot = new Ballot(3, 2, false);
    ballot.cast('m1', reply('ok', 'x'.repeat(100)));
    ballot.refuse('m2', reply('unavailable', 'no view'));
    expect(ballot.describe()).toBe(`m1: ok "${'x'.repeat(64)}" … 100 bytes; m2: unavailable "no view"`);
  });
});
