import { expect, it } from 'vitest';

import { statusText, type StatusAnswer } from '../../../src/cli/group/status.ts';
import { describeGroup } from '../../../src/cli/group/up-run.ts';
import { MODES, traitsOf, type Mode } from '../../../src/group/modes.ts';
import type { ReplicaStatus } from '../../../src/group/replica.ts';
import type { ProcessStatus } from '../../../src/net/managed-process.ts';

const MEMBERS = ['m1', 'm2', 'm3', 'm4', 'm5'];

function running(id: string, kind: ProcessStatus['kind'], status: Partial<ReplicaStatus> = {}): ProcessStatus {
  const whole = {
    id, mode: 'raft', role: 'follower', term: 1, leader: undefined, lastIndex: 1, commitIndex: 1, appliedIndex: 1, digest: 'abcdef0123456789', members: MEMBERS.map((name) => ({ id: name, address: name, isVoter: true })), suspected: [], counters: {},
    problem: undefined, ...status,
  };
  return { id, kind, address: `127.0.0.1:5000${id.slice(1)}`, pid: 4_194_304, state: 'running', status: whole, problem: null };
}

function answer(mode: Mode, processes: readonly ProcessStatus[]): StatusAnswer {
  return { mode, clusterId: 'failmask', ...describeGroup(mode, processes) };
}

it('says who leads, who is gone and why, and what the others do', () => {
  const text = statusText(answer('primary-backup', [
    running('v1', 'view-server', { role: 'leader' }), { ...running('v2', 'view-server'), state: 'dead', pid: null, status: null },
    running('v3', 'view-server'),
    running('m1', 'member', { role: 'primary', term: 4, commitIndex: 17, appliedIndex: 17, suspected: ['m2'] }),
    { ...running('m2', 'member'), state: 'paused', status: null },
    { ...running('m3', 'member'), state: 'dead', pid: null, status: null, problem: 'SIGKILL' },
    { ...running('m4', 'member'), status: null },
    running('m5', 'member', { role: 'outside', appliedIndex: 12, problem: 'view 4 is without it' }),
    running('b1', 'balancer'), { ...running('b2', 'balancer'), state: 'dead' },
  ]));
  expect(text).toBe(`group "failmask", mode primary-backup
1 of 5 members serve, 0 more may fail

id      pid  role       view  commit  applied  lag  digest    suspects
--  -------  ---------  ----  ------  -------  ---  --------  --------
m1  4194304  primary       4      17       17    0  abcdef01  m2
m2  4194304  paused        –       –        –    –  –         –
m3        –  dead          –       –        –    –  –         –
m4  4194304  no answer     –       –        –    –  –         –
m5  4194304  outside       1       1       12    5  abcdef01  nobody
m3: SIGKILL
m5: view 4 is without it
view service: v1 leader, v2 dead, v3 follower
balancers: b1 127.0.0.1:50001, b2 127.0.0.1:50002 dead`);
});

it('says it when members that should be equal are not', () => {
  const text = statusText(answer('active', [running('m1', 'member', { digest: 'a' }), running('m2', 'member', { digest: 'b' })]));
  expect(text.split('\n')[2]).toBe('m1 and m2 differ at 1');
});

it.each(MODES)('fits 80 columns, with the numbers of weeks: mode %s', (mode) => {
  const far = { term: 12_345, commitIndex: 123_456_789, appliedIndex: 123_456_789, suspected: ['m3', 'm4'], role: 'pre-candidate' } as const;
  const text = statusText(answer(mode, [
    ...(traitsOf(mode).hasViews ? ['v1', 'v2', 'v3'].map((id) => running(id, 'view-server', far)) : []), ...['m1', 'm2', 'm3', 'm4', 'm5'].map((id) => running(id, 'member', far)),
    ...['b1', 'b2', 'b3', 'b4', 'b5'].map((id) => running(id, 'balancer')),
  ]));
  expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(text).toContain(mode === 'raft' ? 'term' : mode === 'quorum' ? 'life' : 'view');
});
