import { describe, expect, it } from 'vitest';

import { exitCodeOfLost } from '../../src/cli/send-members.ts';
import type { MemberFate } from '../../src/group/outcome.ts';
import { ConnectionError, type ErrorCode } from '../../src/tcp/errors.ts';

function expelled(atMs: number, code: ErrorCode | undefined, established = true, isSilent = false): MemberFate {
  const details = {
    established, bytesAcked: 0, bytesInFlight: 0, bytesUnsent: 0, lastHeardMs: 0, retransmissions: 0, srttMs: undefined, rtoMs: 200, icmp: undefined,
  };
  const error = code === undefined ? undefined : new ConnectionError(code, 'gone', details);
  return { kind: 'expelled', member: 'm', atMs, reason: '', error, isSilent, bytes: 0, mayHaveCommitted: false };
}

describe('the exit code of a group that is lost', () => {
  it('is that of the member that held out longest', () => {
    expect(exitCodeOfLost([expelled(5, 'ETIMEDOUT'), expelled(1, 'ECONNREFUSED', false)])).toBe(5);
    expect(exitCodeOfLost([expelled(1, 'ECONNREFUSED', false), expelled(2, 'ECONNREFUSED', false)])).toBe(3);
    expect(exitCodeOfLost([expelled(5, 'ETIMEDOUT'), expelled(6, 'ECONNRESET')])).toBe(4);
  });

  it('is a timeout for silence that the connection did not notice, and a runtime error for a full disk', () => {
    expect(exitCodeOfLost([expelled(5, undefined, true, true)])).toBe(5);
    expect(exitCodeOfLost([expelled(5, undefined)])).toBe(1);
  });
});
