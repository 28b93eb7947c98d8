import { describe, expect, it } from 'vitest';

import { MODES } from '../../../src/group/modes.ts';
import { measureFailOver } from '../../../src/lab/modes/fail-over.ts';
import { differences, measureMode } from '../../../src/lab/modes/mode-table.ts';
import { measureOperation } from '../../../src/lab/modes/operation-cost.ts';

describe('the table of modes', () => {
  it.each(MODES)('what is counted of %s is what the formulas say, at 3 and 5 members', (mode) => {
    expect([3, 5].flatMap((members) => differences(measureMode(mode, members, 1)))).toEqual([]);
  });

  it('says so when it is not', () => {
    const cost = measureMode('raft', 3, 1);
    expect(differences({ ...cost, put: { messages: 7, delays: 4, syncs: 2 } })).toEqual(['raft of 3: 7 messages a put instead of 6', 'raft of 3: 2 syncs a put instead of 3']);
  });

  it('counts without heartbeats, whenever they come', () => {
    for (const seed of [2, 3]) expect(measureOperation('active', 3, 'put', seed)).toEqual({ messages: 18, delays: 6, syncs: 3 });
  });
});

describe('the gap at a fail-over', () => {
  it('of a leader that is silent is that of its suspicion; connections that say that it is gone save most of it', () => {
    expect(measureFailOver('primary-backup', 3, 'leader silent', [1, 2]).low).toBeGreaterThan(900);
    expect(measureFailOver('primary-backup', 3, 'leader reset', [1, 2]).high).toBeLessThan(900);
  });

  it('in a quorum there is none', () => {
    for (const failOver of ['leader reset', 'leader silent'] as const) expect(measureFailOver('quorum', 3, failOver, [1, 2]).high).toBeLessThan(50);
  });

  it('a silent member of a view holds everybody up until it is suspected', () => {
    const { low, high } = measureFailOver('active', 3, 'another silent', [1, 2, 3]);
    expect(low).toBeGreaterThan(900);
    expect(high).toBeLessThan(2000);
  });

  it('what the dead sequencer was to order, its successor orders before the clients ask again, after a second', () => {
    expect(measureFailOver('sequencer', 3, 'leader reset', [1, 2, 3, 4, 5]).high).toBeLessThan(900);
  });
});
