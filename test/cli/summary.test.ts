import { describe, expect, it } from 'vitest';
import { Reporter } from '../../src/cli/output.ts';
import { describeDetails, detailsOf, reportSummary } from '../../src/cli/summary.ts';
import { ConnectionError, type ErrorDetails } from '../../src/tcp/errors.ts';

const details: ErrorDetails = {
  established: true, bytesAcked: 1 << 20, bytesInFlight: 2048, bytesUnsent: 0, lastHeardMs: 5012, retransmissions: 7, srttMs: 20, rtoMs: 1600, icmp: 'ECONNREFUSED',
};

function report(json: boolean, summary: Partial<Parameters<typeof reportSummary>[1]>): { out: string; err: string } {
  const texts = { out: '', err: '' };
  const reporter = new Reporter({ json, stdout: { write: (text) => (texts.out += text) }, stderr: { write: (text) => (texts.err += text) }, env: {} });
  reportSummary(reporter, { role: 'send', peer: '127.0.0.1:9', bytes: 1_000_000, seconds: 2, sha256: 'ab12', info: undefined, ...summary });
  return texts;
}

describe('the last line', () => {
  it('of a whole transfer', () => {
    expect(report(false, {})).toEqual({ out: '', err: '1000000 bytes sent in 2.00 s, 4 Mbit/s, sha256 ab12, 0 retransmissions\n' });
  });

  it('of one that failed says what was known, and has no hash to be taken for the right one', () => {
    const { err } = report(false, { role: 'recv', error: new ConnectionError('ETIMEDOUT', 'silence', details) });
    expect(err).toContain('what is known: 1 MiB acknowledged, 2 KiB sent and unanswered, 0 B never sent');
    expect(err).toContain('7 retransmissions, RTO 1.6s, ICMP said ECONNREFUSED');
    expect(err).toContain('not complete: 1000000 bytes received');
    expect(err).not.toContain('sha256');
  });

  it('of a receiver that failed has nothing to say about what it sent', () => {
    const nothing = { ...details, bytesAcked: 0, bytesInFlight: 0, bytesUnsent: 0 };
    expect(describeDetails(nothing)).toMatch(/^what is known: last heard 5\.01s before, 7 retransmissions[^\n]*$/);
  });

  it('of one that did not get through has no hash', () => {
    expect(report(false, { interrupted: true, sha256: undefined }).err).not.toContain('sha256');
    expect(JSON.parse(report(true, { interrupted: true, sha256: undefined }).out)).toMatchObject({ sha256: null, complete: false });
  });

  it('of one that was interrupted', () => {
    expect(report(false, { interrupted: true }).err).toMatch(/^interrupted: 1000000 bytes sent/);
  });

  it('as an object', () => {
    const { out, err } = report(true, { seconds: 0, error: new ConnectionError('ECONNRESET', 'gone', details) });
    expect(err).toBe('');
    expect(JSON.parse(out)).toMatchObject({
      type: 'summary', role: 'send', bytes: 1_000_000, bits_per_second: 0, complete: false, srtt_ms: null,
      error: { code: 'ECONNRESET', message: 'ECONNRESET: gone', details: { bytesAcked: 1 << 20 } },
    });
  });
});

it('a peer that never answered', () => {
  expect(describeDetails({ ...details, lastHeardMs: Infinity, icmp: undefined })).toContain('never heard');
  expect([detailsOf(undefined), detailsOf(new Error('x'))]).toEqual([undefined, undefined]);
});
