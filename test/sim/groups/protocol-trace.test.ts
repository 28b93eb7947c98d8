import { describe, expect, it } from 'vitest';

import type { TraceEvent } from '../../../src/core/trace.ts';
import type { Mode } from '../../../src/group/modes.ts';
import { ShiVizLog } from '../../../src/report/shiviz.ts';
import type { FaultKind } from '../../../src/sim/group/draw-group.ts';
import { runGroupSeed, type GroupResult } from '../../../src/sim/group-run.ts';

interface Traced {
  readonly result: GroupResult;
  readonly events: readonly TraceEvent[];
  readonly picture: ShiVizLog;
}

function traced(mode: Mode, faults: readonly FaultKind[]): Traced {
  const events: TraceEvent[] = [];
  const picture = new ShiVizLog();
  const changes = { faults: new Map(faults.map((kind) => [kind, 1])), faultEveryMs: 200, faultyMs: 2000, clients: 2 };
  const sink = {
    emit(now: number, event: TraceEvent): void {
      events.push(event);
      picture.emit(now, event);
    },
  };
  return { result: runGroupSeed(mode, 1, { changes, sink }), events, picture };
}

const kinds = (events: readonly TraceEvent[]): string[] => [...new Set(events.map(({ type }) => type))].sort();

describe('the protocol trace of a group', () => {
  it('has what members did and what befell them, and changes nothing', () => {
    const { result, events } = traced('raft', ['kill', 'power']);
    expect(kinds(events)).toEqual(expect.arrayContaining(['append', 'apply', 'become', 'commit', 'crash', 'note', 'receive', 'restart', 'send', 'start', 'vote']));
    expect(runGroupSeed('raft', 1, { changes: result.scenario }).traceHash).toBe(result.traceHash);
    expect(events.filter(({ type }) => type === 'apply').every(({ digest, index }) => typeof digest === 'string' && typeof index === 'number')).toBe(true);
    expect(kinds(traced('primary-backup', ['kill']).events)).toContain('view');
  });

  it('whoever crashed does nothing before it is started again', () => {
    const { events } = traced('sequencer', ['kill', 'power', 'disk failure']);
    const down = new Set<unknown>();
    let crashes = 0;
    for (const { type, member } of events) {
      if (type === 'crash') {
        crashes++;
        down.add(member);
      } else if (down.has(member)) {
        // A replica says what it became while it is made.
        if (type === 'restart') down.delete(member);
        else expect(['become', 'note', 'view', 'apply', 'snapshot']).toContain(type);
      }
    }
    expect(crashes).toBeGreaterThan(3);
  });

  it('each receipt has its sending, so that vector clocks follow', () => {
    const { events, picture } = traced('active', ['partition', 'storm', 'reset']);
    const sent = new Map<unknown, TraceEvent>();
    let receipts = 0;
    for (const event of events) {
      if (event.type === 'send') sent.set(event['message'], event);
      if (event.type !== 'receive') continue;
      receipts++;
      expect(sent.get(event['message'])).toMatchObject({ member: event['from'], to: event['member'] });
    }
    expect(receipts).toBeGreaterThan(500);
    expect(sent.size).toBeGreaterThan(500);
    expect(picture.counters).toMatchObject({ unmatched: 0, omitted: 0, forgotten: 0 });
  });
});
