import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { endAll, failmask, makeDirectory, type Program } from './program.ts';

/** What the sender's process makes of a receiver that dies, stops, stalls or forgets. */
afterEach(endAll);

const CHUNK = Buffer.alloc(50_000, 'x');

/** A receiver to stdout and a sender from a pipe, in the middle of a transfer. */
async function midTransfer(sendFlags: readonly (string | number)[] = [], recvFlags: readonly string[] = []): Promise<{ recv: Program; send: Program; port: number }> {
  const recv = failmask(['recv', '-p', 0, '-o', '-', ...recvFlags]);
  const port = await recv.port();
  const send = failmask(['send', `127.0.0.1:${port}`, '-', '--json', ...sendFlags], { stdin: 'pipe' });
  send.write(CHUNK);
  await recv.until(() => recv.stdoutBytes === CHUNK.length);
  return { recv, send, port };
}

async function ended(program: Program): Promise<void> {
  await program.exited;
}

describe('the receiver is killed in mid-transfer', () => {
  it('silence: ETIMEDOUT, exit 5, within the user timeout + 5 %', async () => {
    const log = join(makeDirectory(), 'log');
    const userTimeoutMs = 2000;
    const { recv, send } = await midTransfer(['--user-timeout', `${userTimeoutMs}ms`, '--log', log]);
    recv.kill('SIGKILL');
    await ended(recv);
    send.write(CHUNK);
    send.write(CHUNK);
    expect(await send.code()).toBe(5);
    expect(send.summary).toMatchObject({ complete: false, error: { code: 'ETIMEDOUT', details: { established: true, icmp: 'ECONNREFUSED' } } });
    // The last ACK may have died with the receiver.
    const { bytesAcked, bytesInFlight, bytesUnsent } = send.summary.error.details as Record<string, number>;
    expect([bytesAcked! <= CHUNK.length, bytesInFlight! > 0, bytesAcked! + bytesInFlight! + bytesUnsent!]).toEqual([true, true, 3 * CHUNK.length]);
    expect(send.summary.bytes).toBe(bytesAcked);
    expect(send.stderr).toBe(`failmask: ETIMEDOUT: no acknowledgement within the user timeout of ${userTimeoutMs} ms\n`);
    // By the sender's own clock, from the first byte that nobody acknowledged.
    const events = readFileSync(log, 'utf8').trim().split('\n').map((line) => JSON.parse(line) as { ms: number; type: string });
    const error = events.find(({ type }) => type === 'error')!;
    const heard = events.filter(({ type }) => type === 'receive').at(-1)!;
    const sent = events.find(({ type, ms }) => type === 'send' && ms > heard.ms)!;
    expect(error.ms - sent.ms).toBeGreaterThanOrEqual(userTimeoutMs);
    expect(error.ms - sent.ms).toBeLessThan(userTimeoutMs * 1.05);
  });

  it('and restarted without memory: ECONNRESET, exit 4', async () => {
    const { recv, send, port } = await midTransfer();
    recv.kill('SIGKILL');
    await ended(recv);
    const again = failmask(['recv', '-p', port, '-o', '-']);
    await again.port();
    send.write(CHUNK);
    expect(await send.code()).toBe(4);
    expect(send.summary.error).toMatchObject({ code: 'ECONNRESET', details: { established: true } });
    expect(again.stdoutBytes).toBe(0);
  });

  it('an idle connection hears nothing without keep-alive, and ETIMEDOUT with it', async () => {
    const { recv, send, port } = await midTransfer(['--keepalive', '300ms/100ms/3'], ['-k']);
    const silent = failmask(['send', `127.0.0.1:${port}`, '-', '--user-timeout', '100ms'], { stdin: 'pipe' });
    await silent.line(/^connected to/);
    recv.kill('SIGKILL');
    await ended(recv);
    expect(await send.code()).toBe(5);
    expect(send.summary.error.message).toBe('ETIMEDOUT: no answer to 3 keep-alive probes');
    // Several times its user timeout has gone by.
    expect([silent.child.exitCode, silent.stderr.split('\n').length]).toEqual([null, 2]);
  });

  it('after the last byte was acknowledged: still noticed, exit 5', async () => {
    const { recv, send } = await midTransfer(['--user-timeout', '1s']);
    recv.kill('SIGSTOP');
    send.child.stdin!.end();
    expect(await send.code()).toBe(5);
  });
});

describe('the receiver lives', () => {
  it('SIGSTOP shorter than the user timeout is masked', async () => {
    const { recv, send } = await midTransfer(['--user-timeout', '5s', '-C', 'fixed']);
    recv.kill('SIGSTOP');
    for (let i = 0; i < 40; i++) send.write(CHUNK);
    send.child.stdin!.end();
    // Until retransmissions show that the sender has noticed.
    await send.until(() => send.objects.some(({ type, retransmits }) => type === 'interval' && retransmits > 0), 'retransmissions');
    recv.kill('SIGCONT');
    expect([await send.code(), await recv.code()]).toEqual([0, 0]);
    expect(recv.stdoutBytes).toBe(41 * CHUNK.length);
  });

  it('the sender is stopped for longer than its user timeout: its own absence is no silence of the peer', async () => {
    const { recv, send } = await midTransfer(['--user-timeout', '500ms']);
    for (let i = 0; i < 20; i++) send.write(CHUNK);
    send.kill('SIGSTOP');
    // The receiver prints a line a second.
    const linesThen = recv.stderr.split('\n').length;
    await recv.until(() => recv.stderr.split('\n').length >= linesThen + 2, 'two intervals');
    send.kill('SIGCONT');
    send.child.stdin!.end();
    expect([await send.code(), await recv.code()]).toEqual([0, 0]);
    expect(recv.stdoutBytes).toBe(21 * CHUNK.length);
  });

  it('a reader that stalls for longer than the user timeout: the connection lives', async () => {
    const recv = failmask(['recv', '-p', 0, '-o', '-', '--receive-buffer', '64KiB', '--user-timeout', '500ms']);
    const port = await recv.port();
    recv.child.stdout!.pause();
    const send = failmask(['send', `127.0.0.1:${port}`, '-', '--json', '--user-timeout', '500ms'], { stdin: 'pipe' });
    for (let i = 0; i < 40; i++) send.write(CHUNK);
    send.child.stdin!.end();
    // Two seconds of interval lines, one a second, in which nothing moves.
    await send.until(() => send.objects.filter(({ type }) => type === 'interval').length >= 3, 'three intervals');
    expect(send.objects.filter(({ type }) => type === 'interval').at(-1)!.bytes).toBe(0);
    recv.child.stdout!.resume();
    expect([await send.code(), await recv.code()]).toEqual([0, 0]);
    expect(recv.stdoutBytes).toBe(40 * CHUNK.length);
    expect(send.summary.counters.windowProbes).toBeGreaterThan(0);
  });
});
