import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createRandom } from '../../src/core/random.ts';
import type { GroupOutcome, MemberEvent } from '../../src/group/outcome.ts';
import { GroupSender } from '../../src/net/group-sender.ts';
import { startMember, type GroupMember } from '../../src/net/member.ts';
import { startProxy } from '../../src/net/proxy.ts';
import { parseProfile } from '../../src/link/profile.ts';
import { connect } from '../../src/net/socket.ts';

const USER_TIMEOUT_MS = 1500;

function randomBytes(length: number, seed = 1): Buffer {
  const random = createRandom(seed);
  const bytes = Buffer.alloc(length);
  for (let i = 0; i + 4 <= length; i += 4) bytes.writeUInt32LE(random.uint32(), i);
  return bytes;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('a group of real members', { timeout: 30_000 }, () => {
  let directory: string;
  const members: GroupMember[] = [];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'failmask-member-'));
  });

  afterEach(async () => {
    await Promise.all(members.splice(0).map((member) => member.abort()));
    await rm(directory, { recursive: true, force: true });
  });

  async function start(name: string): Promise<GroupMember> {
    const member = await startMember({ port: 0, host: '127.0.0.1', path: join(directory, name), userTimeoutMs: USER_TIMEOUT_MS });
    members.push(member);
    return member;
  }

  function send(ports: readonly number[], input: Readable, onEvent?: (event: MemberEvent) => void): GroupSender {
    return new GroupSender({
      members: ports.map((port) => ({ host: '127.0.0.1', port })), input, congestion: 'fixed', userTimeoutMs: USER_TIMEOUT_MS, connectTimeoutMs: 2000,
      ...(onEvent === undefined ? {} : { onEvent }),
    });
  }

  const kinds = (outcome: GroupOutcome): string[] => outcome.fates.map(({ kind }) => kind);

  it('has the file at every member, and nothing else is left', async () => {
    const data = randomBytes(3_000_000);
    const group = await Promise.all(['a', 'b', 'c'].map(start));
    const outcome = await send(group.map(({ address }) => address.port), Readable.from([data])).run();
    expect(outcome).toMatchObject({ kind: 'committed', bytes: data.length, sha256: sha256(data) });
    const results = await Promise.all(group.map(({ finished }) => finished));
    for (const result of results) expect(result).toMatchObject({ isCommitted: true, bytes: data.length, sha256: sha256(data), error: undefined });
    expect((await readdir(directory)).sort()).toEqual(['a', 'b', 'c']);
    for (const name of ['a', 'b', 'c']) expect(sha256(await readFile(join(directory, name)))).toBe(sha256(data));
  });

  it('goes through a lossy network', async () => {
    const data = randomBytes(400_000);
    const group = await Promise.all(['a', 'b'].map(start));
    const profile = parseProfile('delay 2ms loss 10% duplicate 2% corrupt 1%');
    const proxies = await Promise.all(group.map(({ address }, i) => startProxy({
      host: '127.0.0.1', port: 0, targetHost: '127.0.0.1', targetPort: address.port, seed: i, up: profile, down: profile,
    })));
    const outcome = await send(proxies.map(({ address }) => address.port), Readable.from([data])).run();
    expect(kinds(outcome)).toEqual(['committed', 'committed']);
    for (const { finished } of group) expect((await finished).sha256).toBe(sha256(data));
    await Promise.all(proxies.map((proxy) => proxy.close()));
  });

  it('goes on without a member whose disk fails, whose words it tells; that member keeps nothing', async () => {
    const data = randomBytes(2_000_000);
    const good = await start('good');
    // Every write to this device fails with ENOSPC.
    await symlink('/dev/full', join(directory, 'full.part'));
    const full = await start('full');
    const outcome = await send([good.address.port, full.address.port], Readable.from([data])).run();
    expect(outcome.kind).toBe('committed');
    expect(kinds(outcome)).toEqual(['committed', 'expelled']);
    expect(outcome.fates[1]).toMatchObject({ reason: expect.stringMatching(/its disk failed: .*ENOSPC/) });
    expect(await full.finished).toMatchObject({ isCommitted: false, error: { code: 'ENOSPC' } });
    await good.finished;
    expect(await readdir(directory)).toEqual(['good']);
  });

  it('masks members that give up in mid-transfer, as long as one lives', async () => {
    const group = await Promise.all(['a', 'b', 'c'].map(start));
    const data = randomBytes(1_000_000);
    const input = new Readable({ read() {} });
    const events: MemberEvent[] = [];
    const sender = send(group.map(({ address }) => address.port), input, (event) => events.push(event));
    const answer = sender.run();
    input.push(data.subarray(0, 500_000));
    await reached(group, 500_000);
    await group[0]!.abort();
    await group[2]!.abort();
    input.push(data.subarray(500_000));
    input.push(null);
    const outcome = await answer;
    expect(kinds(outcome)).toEqual(['expelled', 'committed', 'expelled']);
    expect(outcome.fates[0]).toMatchObject({ reason: expect.stringContaining('ECONNRESET') });
    expect(events.filter(({ kind }) => kind === 'expelled')).toHaveLength(2);
    expect((await group[1]!.finished).sha256).toBe(sha256(data));
    expect(await readdir(directory)).toEqual(['b']);
  });

  it('says so when none is left, although the source has not ended', async () => {
    const group = await Promise.all(['a', 'b'].map(start));
    const input = new Readable({ read() {} });
    const answer = send(group.map(({ address }) => address.port), input).run();
    input.push(randomBytes(300_000));
    await reached(group, 300_000);
    await Promise.all(group.map((member) => member.abort()));
    expect(await answer).toMatchObject({ kind: 'lost', bytes: 300_000, fates: [{ kind: 'expelled' }, { kind: 'expelled' }] });
    expect(await readdir(directory)).toEqual([]);
  });

  it('keeps nothing when the source breaks, and passes its error on', async () => {
    const group = await Promise.all(['a', 'b'].map(start));
    const input = new Readable({ read() {} });
    const answer = send(group.map(({ address }) => address.port), input).run();
    input.push(randomBytes(100_000));
    await reached(group, 100_000);
    input.destroy(new Error('the disk is on fire'));
    await expect(answer).rejects.toThrow('the disk is on fire');
    for (const { finished } of group) expect(await finished).toMatchObject({ isCommitted: false, error: { code: 'ECONNRESET' } });
    expect(await readdir(directory)).toEqual([]);
  });

  it('does not serve who speaks something else, nor a second sender, and goes on with the first', async () => {
    const rejected: string[] = [];
    const member = await startMember({
      port: 0, host: '127.0.0.1', path: join(directory, 'a'), userTimeoutMs: USER_TIMEOUT_MS, onRejected: (_peer, reason) => rejected.push(reason),
    });
    members.push(member);
    const { port } = member.address;
    const input = new Readable({ read() {} });
    const answer = send([port], input).run();
    input.push(randomBytes(100_000));
    await reached([member], 100_000);

    const stranger = connect({ port, host: '127.0.0.1' });
    stranger.on('error', () => {});
    stranger.resume();
    stranger.end('GET / HTTP/1.1\r\n\r\n');
    await once(stranger, 'close');
    expect(rejected).toEqual([expect.stringMatching(/a message of \d+ bytes/)]);
    const second = await send([port], Readable.from([randomBytes(1000)])).run();
    expect(second).toMatchObject({ kind: 'lost', fates: [{ reason: expect.stringContaining('answered busy: another transfer holds this member') }] });

    input.push(null);
    expect((await answer).kind).toBe('committed');
    expect((await member.finished).sha256).toBe(sha256(randomBytes(100_000)));
  });

  it('rejects when the port is taken', async () => {
    const member = await start('a');
    await expect(startMember({ port: member.address.port, host: '127.0.0.1', path: join(directory, 'b') })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

/** Every member has so many bytes. */
async function reached(group: readonly GroupMember[], bytes: number): Promise<void> {
  while (group.some((member) => member.bytes < bytes)) await new Promise<void>((resolve) => setImmediate(resolve));
}
