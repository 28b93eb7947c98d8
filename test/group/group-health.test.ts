import { describe, expect, it } from 'vitest';

import { assessGroup, lagsOf, type Sighting } from '../../src/group/group-health.ts';
import type { ReplicaStatus } from '../../src/group/replica.ts';

const NAMES = ['m1', 'm2', 'm3'];

function voters(names: readonly string[]): ReplicaStatus['members'] {
  return names.map((id) => ({ id, address: `${id}:1`, isVoter: true }));
}

function status(id: string, fields: Partial<ReplicaStatus> = {}): ReplicaStatus {
  return {
    id, mode: 'raft', role: 'follower', term: 1, leader: 'm1', lastIndex: 1, commitIndex: 1, appliedIndex: 1, digest: 'a', members: voters(NAMES), suspected: [], counters: {},
    problem: undefined, ...fields,
  };
}

function up(id: string, fields: Partial<ReplicaStatus> = {}): Sighting {
  return { isUp: true, status: status(id, fields) };
}

const DOWN: Sighting = { isUp: false, status: undefined };

describe('how many more may fail', () => {
  it('all serve', () => {
    expect(assessGroup('raft', [up('m1', { role: 'leader' }), up('m2'), up('m3')])).toEqual({
      members: 3, serving: 3, needed: 2, sparesLeft: 1, summary: '3 of 3 members serve, 1 more may fail', differences: [],
    });
  });

  it('whom the leader does not hear serves nobody, though its process runs', () => {
    expect(assessGroup('raft', [up('m1', { role: 'leader', suspected: ['m3'] }), up('m2'), up('m3', { role: 'pre-candidate' })])).toMatchObject({ serving: 2, sparesLeft: 0 });
  });

  it('of two that lead, the one in the higher term counts', () => {
    expect(assessGroup('raft', [up('m1', { role: 'leader' }), up('m2', { role: 'leader', term: 2, suspected: ['m1'] }), up('m3', { term: 2 })])).toMatchObject({ serving: 2 });
  });

  it('whom the leader has not in the group does not count', () => {
    const members = voters(['m1', 'm2']);
    expect(assessGroup('raft', [up('m1', { role: 'leader', members }), up('m2'), up('m3', { role: 'outside' })])).toMatchObject({ members: 3, serving: 2, needed: 2, sparesLeft: 0 });
  });

  it('more than can be masked have failed', () => {
    expect(assessGroup('raft', [up('m1'), DOWN, DOWN]).summary).toBe('1 of 3 members serve, 2 are needed');
    expect(assessGroup('primary-backup', [DOWN, DOWN]).summary).toBe('0 of 2 members serve, 1 is needed');
  });

  it('where clients count answers, they want as many however small the view has become', () => {
    const view = { mode: 'active', role: 'member', term: 3, members: voters(NAMES) } as const;
    const five = [...NAMES.map((id) => up(id, view)), DOWN, DOWN];
    expect(assessGroup('active', five)).toMatchObject({ members: 5, serving: 3, needed: 3, sparesLeft: 0 });
    expect(assessGroup('sequencer', five)).toMatchObject({ needed: 3, sparesLeft: 0 });
    // Raft's leader counts those who have a vote.
    expect(assessGroup('raft', five)).toMatchObject({ needed: 2, sparesLeft: 1 });
  });

  it('one survivor of a primary-backup group is enough, as long as somebody can say that the others are out', () => {
    const all = [up('m1', { role: 'primary' }), up('m2', { role: 'backup' }), up('m3', { role: 'backup' })];
    expect(assessGroup('primary-backup', all, { servers: 3, living: 2 })).toMatchObject({ needed: 1, sparesLeft: 2 });
    expect(assessGroup('primary-backup', all, { servers: 3, living: 1 })).toMatchObject({ needed: 3, sparesLeft: 0, summary: '3 of 3 members serve, 0 more may fail: the view service has no majority' });
    expect(assessGroup('primary-backup', [DOWN, ...all.slice(1)], { servers: 3, living: 1 }).summary).toBe('2 of 3 members serve, 3 are needed: the view service has no majority');
    expect(assessGroup('active', [up('m1', { role: 'member', members: voters(['m1', 'm2']) }), up('m2', { role: 'member' }), DOWN], { servers: 3, living: 1 })).toMatchObject({ needed: 2, sparesLeft: 0 });
  });
});

describe('lag', () => {
  it('is what the furthest has committed and a member has not applied', () => {
    expect(lagsOf('raft', [status('m1', { commitIndex: 9, appliedIndex: 8 }), undefined, status('m3', { commitIndex: 5, appliedIndex: 5 })])).toEqual([1, undefined, 4]);
  });

  it('is nothing where members only count what each of them has written', () => {
    expect(lagsOf('quorum', [status('m1', { commitIndex: 9 }), status('m2')])).toEqual([undefined, undefined]);
  });
});

describe('the states of members', () => {
  const at = (id: string, appliedIndex: number, digest: string): Sighting => up(id, { appliedIndex, digest });

  it('differ where equally much is applied', () => {
    expect(assessGroup('raft', [at('m1', 106, 'a'), at('m2', 107, 'b'), at('m3', 107, 'c')]).differences).toEqual(['m2 and m3 differ at 107']);
    expect(assessGroup('active', [at('m1', 7, 'a'), at('m2', 7, 'b'), at('m3', 7, 'a')]).differences).toEqual(['m1 m3 and m2 differ at 7']);
  });

  it('are not compared at different places, nor where there is no order', () => {
    expect(assessGroup('raft', [at('m1', 106, 'a'), at('m2', 107, 'b'), at('m3', 106, 'a')]).differences).toEqual([]);
    expect(assessGroup('quorum', [at('m1', 7, 'a'), at('m2', 7, 'b')]).differences).toEqual([]);
  });
});
