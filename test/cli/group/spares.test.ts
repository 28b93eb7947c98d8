import { expect, it } from 'vitest';

import { describeSpares } from '../../../src/cli/group/up-run.ts';
import type { ReplicaStatus } from '../../../src/group/replica.ts';
import type { ProcessStatus } from '../../../src/net/group-supervisor.ts';

const NAMES = ['m1', 'm2', 'm3'];

function member(id: string, status: Partial<ReplicaStatus>): ProcessStatus {
  const whole: ReplicaStatus = {
    id, mode: 'raft', role: 'follower', term: 1, leader: 'm1', lastIndex: 1, commitIndex: 1, appliedIndex: 1, digest: '',
    members: NAMES.map((name) => ({ id: name, address: `${name}:1`, isVoter: true })), suspected: [], counters: {}, problem: undefined, ...status,
  };
  return { id, kind: 'member', address: `${id}:1`, pid: 1, state: 'running', status: whole, problem: null };
}

it('all serve', () => {
  const processes = [member('m1', { role: 'leader' }), member('m2', {}), member('m3', {})];
  expect(describeSpares('raft', processes)).toBe('3 of 3 members serve, 1 more may fail');
});

it('whom the leader does not hear serves nobody, though its process runs', () => {
  const processes = [member('m1', { role: 'leader', suspected: ['m3'] }), member('m2', {}), member('m3', { role: 'pre-candidate' })];
  expect(describeSpares('raft', processes)).toBe('2 of 3 members serve, 0 more may fail');
});

it('of two that lead, the one in the higher term counts', () => {
  const processes = [
    member('m1', { role: 'leader', term: 1 }), member('m2', { role: 'leader', term: 2, suspected: ['m1'] }), member('m3', { term: 2 }),
  ];
  expect(describeSpares('raft', processes)).toBe('2 of 3 members serve, 0 more may fail');
});

it('whom the leader has not in the group does not count', () => {
  const only = NAMES.slice(0, 2).map((name) => ({ id: name, address: `${name}:1`, isVoter: true }));
  const processes = [member('m1', { role: 'leader', members: only }), member('m2', {}), member('m3', { role: 'outside' })];
  expect(describeSpares('raft', processes)).toBe('2 of 3 members serve, 0 more may fail');
});

it('more than can be masked have failed', () => {
  const processes = [member('m1', {}), { ...member('m2', {}), state: 'dead' as const }, { ...member('m3', {}), state: 'dead' as const }];
  expect(describeSpares('raft', processes)).toMatch(/^1 of 3 members serve: 2 are needed/);
});
