import { describe, expect, it } from 'vitest';
import type { SimEngine } from '../../../src/sim/group/engines.ts';
import type { FaultKind, GroupScenario } from '../../../src/sim/group/draw-group.ts';
import { FAIR_WEATHER } from '../../../src/sim/group/message-network.ts';
import { describeGroupFailure, runGroupSeed, type GroupResult } from '../../../src/sim/group-run.ts';
import { LoneReplica, type LoneFlaw } from './lone-replica.ts';
import { TEXT_WORDS, TextClient } from './text-service.ts';

const DEADLINE_MS = 1500;

/** A group of one, so that all there is to find is in the world around it. */
function loneEngine(flaw: LoneFlaw): SimEngine {
  return {
    member: (beginning) => new LoneReplica(beginning, flaw),
    client: (name) => new TextClient(name, 1, DEADLINE_MS),
    words: TEXT_WORDS,
    kinds: ['get', 'put', 'cas', 'append', 'del'],
    judge: () => ({ judged: 1, wrong: [] }),
  };
}

function run(seed: number, flaw: LoneFlaw, faults: readonly FaultKind[], changes: Partial<GroupScenario> = {}): GroupResult {
  return runGroupSeed('raft', seed, {
    engine: loneEngine(flaw),
    changes: {
      profile: 'beyond', members: 1, spares: 0, tolerated: 0, deadlineMs: DEADLINE_MS, maxSessions: 1024, diskDelayMs: 10, faultEveryMs: 300, repairMs: 200,
      faults: new Map(faults.map((kind) => [kind, 1])), ...changes,
    },
  });
}

/** Names of the checkers that found something, over some seeds. */
function found(flaw: LoneFlaw, faults: readonly FaultKind[], changes: Partial<GroupScenario> = {}): Set<string> {
  const checkers = new Set<string>();
  for (let seed = 1; seed <= 5; seed++) for (const { checker } of run(seed, flaw, faults, changes).violations) checkers.add(checker);
  return checkers;
}

const EVERYTHING: readonly FaultKind[] = ['kill', 'power', 'pause', 'one-way', 'slow disk', 'disk failure', 'all down', 'storm'];

describe('a group of one in a world of faults', () => {
  it('is right, as long as it is: no checker cries wolf', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const result = run(seed, 'none', EVERYTHING);
      expect(result.violations, describeGroupFailure(result)).toEqual([]);
      expect(result.coverage.operation).toBeGreaterThan(20);
    }
  });

  it('that answers before it has anything on disk loses what it had promised', () => {
    expect(found('forgets', ['kill'], { keys: 1 })).toContain('history');
  });

  it('that carries out repeated serials again does things twice', () => {
    expect(found('repeats', [], { keys: 1, weather: { ...FAIR_WEATHER, loss: 0.3, duplication: 0.3 } })).toContain('history');
  });

  it('that never waits is caught', () => {
    expect(found('spins', ['kill'])).toContain('spin');
  });

  it('that throws is caught, and is down', () => {
    expect(found('throws', ['pause'])).toContain('crash');
  });

  it('that falls silent is caught once all is healed', () => {
    expect(found('falls silent', ['pause'])).toContain('liveness');
  });
});

describe('the report of a failure', () => {
  it('says what, when, in which world, how to see it again, and what happened last', () => {
    const text = describeGroupFailure(run(1, 'falls silent', ['pause']));
    expect(text).toContain('seed 1 of raft, replay with: failmask sim --group raft --seed 1 --trace');
    expect(text).toMatch(/^ {2}\d+\.\d{3} ms \*: liveness: \d+ ms after healing, fewer than 3 operations succeeded of c0/m);
    expect(text).toContain('/ leads');
    expect(text).toMatch(/^ +\d+\.\d{3} =  c\d +(get|put|append|cas|del) /m);
  });
});
