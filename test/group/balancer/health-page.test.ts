import { describe, expect, it } from 'vitest';

import type { BalancerReport } from '../../../src/group/balancer/balancer-report.ts';
import { healthHtml, healthJson, healthTable } from '../../../src/group/balancer/health-page.ts';
import { parseReplicaStatus } from '../../../src/group/balancer/replica-status.ts';
import { statusOf } from './balancer-world.ts';

const report: BalancerReport = {
  name: 'b1', mode: 'raft', leader: 'm1', term: 4, inFlight: 2, waiting: 1, counters: { requests: 7 },
  health: { members: 3, serving: 1, needed: 2, sparesLeft: -1, summary: '1 of 3 members serve', differences: ['m1 and m2 differ at 9'] },
  members: [
    {
      name: 'm1', address: 'h:1', id: 'id1', state: 'healthy', forMs: 1500, isConnected: true, role: 'leader', term: 4, commitIndex: 9, appliedIndex: 9, lag: 0,
      digest: '0123456789abcdef', rttMs: 1.25, outstanding: 2, falseSuspicions: 0, problem: undefined,
    },
    {
      name: 'm2', address: 'h:2', id: undefined, state: 'down', forMs: 61_000, isConnected: false, role: undefined, term: undefined, commitIndex: undefined,
      appliedIndex: undefined, lag: undefined, digest: undefined, rttMs: undefined, outstanding: 0, falseSuspicions: 1, problem: '<b>"bad" & worse</b>',
    },
  ],
};

describe('the health page', () => {
  it('is a table for people', () => {
    const { title, header, rows } = healthTable(report);
    expect(title).toBe('b1: raft, leader m1; 1 of 3 members serve; m1 and m2 differ at 9; 2 in flight, 1 waiting');
    expect(rows.every((row) => row.length === header.length)).toBe(true);
    expect(rows[0]!.join('|')).toBe('m1|id1|healthy|1.5s|leader|4|9|9|0|01234567|1.25ms|2|');
    expect(rows[1]!.slice(0, 6).join('|')).toBe('m2|–|down, no connection|1m01s|–|–');
    expect(healthTable({ ...report, mode: 'active', leader: undefined }).title).toMatch(/^b1: active; 1 of 3/);
  });

  it('is HTML in which nothing that a member says is markup', () => {
    const html = healthHtml(report);
    expect(html).toContain('&lt;b&gt;&quot;bad&quot; &amp; worse&lt;/b&gt;');
    expect(html).not.toContain('<b>');
    expect(html).not.toMatch(/src=|https?:/);
  });

  it('is JSON for programs', () => {
    expect(JSON.parse(healthJson(report))).toEqual(JSON.parse(JSON.stringify(report)));
  });
});

describe('what a member says of itself', () => {
  it('is read as it was written', () => {
    const status = statusOf('m1', { leader: 'm2', members: [{ id: 'm1', address: 'h:1', isVoter: true }], suspected: ['m3'], counters: { elections: 2 }, problem: 'why' });
    expect(parseReplicaStatus(JSON.stringify(status))).toEqual(status);
    expect(parseReplicaStatus(JSON.stringify(statusOf('m1')))).toEqual(statusOf('m1'));
  });

  it.each([
    ['no JSON', 'x'], ['null', 'null'], ['too long', JSON.stringify(statusOf('m', { problem: 'x'.repeat(70_000) }))],
    ...Object.entries({
      id: 5, role: 'king', term: 1.5, lastIndex: -1, commitIndex: 'x', appliedIndex: 2 ** 53, digest: null, members: [{ id: 'm1' }], suspected: [1], counters: { a: 'b' }, leader: {},
      problem: 1, mode: 'x'.repeat(129),
    }).map(([field, value]) => [field, JSON.stringify({ ...statusOf('m'), [field]: value })]),
    ['many members', JSON.stringify(statusOf('m', { members: new Array(65).fill({ id: 'm', address: 'a', isVoter: true }) }))],
  ] as [string, string][])('is nothing when it makes no sense: %s', (_, json) => expect(parseReplicaStatus(json)).toBeUndefined());
});
