import { execFileSync } from 'node:child_process';
import { closeSync, createReadStream, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { defaultProfile, parseProfile } from '../../src/link/profile.ts';
import { startProxy } from '../../src/net/proxy.ts';
import { endAll, failmask, makeDirectory, type Program } from './program.ts';
import { codes, randomFile, receiver, unusedPort } from './transfers.ts';

/** `send` and `recv` as scripts use them: files, pipes, JSON. */
afterEach(endAll);

describe('a file', () => {
  it('arrives whole: FILE.part meanwhile, FILE at the end, the same SHA-256 on both sides', async () => {
    const directory = makeDirectory();
    const { path, data, sha256 } = randomFile(directory, 3_000_000);
    const output = join(directory, 'output');
    const { recv, to } = await receiver('-o', output);
    const send = failmask(['send', to, path]);
    expect(await codes(send, recv)).toEqual([0, 0]);
    expect(readFileSync(output).equals(data)).toBe(true);
    expect(existsSync(`${output}.part`)).toBe(false);
    const last = (program: Program): string => program.stderr.trim().split('\n').at(-1)!;
    expect(last(send)).toMatch(new RegExp(`^3000000 bytes sent in [0-9.]+ s, .*bit/s, sha256 ${sha256}, \\d+ retransmissions, SRTT`));
    expect(last(recv)).toMatch(new RegExp(`^3000000 bytes received in [0-9.]+ s, .*sha256 ${sha256}`));
    expect([send.stdoutBytes, recv.stdoutBytes]).toEqual([0, 0]);
  });

  it('of no bytes is a file', async () => {
    const directory = makeDirectory();
    const output = join(directory, 'output');
    const { recv, to } = await receiver('-o', output);
    expect(await codes(failmask(['send', to, '/dev/null']), recv)).toEqual([0, 0]);
    expect(readFileSync(output).length).toBe(0);
  });

  it('-k: one after the other, with numbers; Ctrl-C is the end that its user wanted', async () => {
    const directory = makeDirectory();
    const output = join(directory, 'output');
    const { recv, to } = await receiver('-k', '-o', output);
    for (const text of ['one', 'two', 'three']) {
      const send = failmask(['send', to, '-', '-q'], { stdin: 'pipe' });
      send.child.stdin!.end(text);
      expect(await send.code()).toBe(0);
    }
    expect(['', '.2', '.3'].map((end) => readFileSync(output + end, 'utf8'))).toEqual(['one', 'two', 'three']);
    recv.kill('SIGINT');
    expect(await recv.code()).toBe(0);
  });

  it('over IPv6', async (context) => {
    const recv = failmask(['recv', '-p', 0, '-H', '::1', '-o', '-']);
    const port = await recv.port().catch(() => undefined);
    if (port === undefined) context.skip('this machine has no IPv6');
    const send = failmask(['send', '-6', `[::1]:${port}`, '-'], { stdin: 'pipe' });
    send.child.stdin!.end('six');
    expect([await send.code(), String(recv.stdout)]).toEqual([0, 'six']);
  });

  it('integrity accept and other flags of the transport', async () => {
    const directory = makeDirectory();
    const { path, data } = randomFile(directory, 500_000);
    const output = join(directory, 'output');
    const { recv, to } = await receiver('-o', output, '--integrity', 'accept', '--receive-buffer', '64KiB');
    const send = failmask(['send', to, path, '--integrity', 'accept', '-C', 'fixed:50', '--mtu', '9000', '--send-buffer', '64KiB', '-4']);
    expect(await codes(send, recv)).toEqual([0, 0]);
    expect(readFileSync(output).equals(data)).toBe(true);
  });
});

describe('pipes', () => {
  it('stdin and stdout are byte-exact', async () => {
    const { path, data } = randomFile(makeDirectory(), 5_000_000);
    const { recv, to } = await receiver('-o', '-');
    const send = failmask(['send', to], { stdin: 'pipe' });
    createReadStream(path).pipe(send.child.stdin!);
    expect(await codes(send, recv)).toEqual([0, 0]);
    expect(recv.stdout.equals(data)).toBe(true);
  });

  it('with stdout and stderr redirected to files', async () => {
    const directory = makeDirectory();
    const { path, data, sha256 } = randomFile(directory, 1_000_000);
    const files = ['out', 'err', 'sent'].map((name) => join(directory, name));
    const [out, err, sent] = files.map((name) => openSync(name, 'w'));
    const port = await unusedPort();
    const recv = failmask(['recv', '-p', port, '-o', '-'], { stdout: out!, stderr: err! });
    // Its words go to the file: a sender that comes too early is refused, and comes again.
    let code: number | null = 3;
    for (let tries = 0; code === 3 && tries < 200; tries++) code = await failmask(['send', `127.0.0.1:${port}`, path], { stderr: sent! }).code();
    expect([code, await recv.code()]).toEqual([0, 0]);
    for (const fd of [out!, err!, sent!]) closeSync(fd);
    expect(readFileSync(files[0]!).equals(data)).toBe(true);
    for (const file of [files[1]!, files[2]!]) {
      const text = readFileSync(file, 'utf8');
      expect(text).toContain(sha256);
      expect(text).not.toMatch(/[\r\u001b]/);
    }
  });

  it('a FIFO is written directly, and never renamed', async () => {
    const directory = makeDirectory();
    const { path, data } = randomFile(directory, 1_000_000);
    const fifo = join(directory, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const { recv, to } = await receiver('-o', fifo);
    const reading = (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of createReadStream(fifo)) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks);
    })();
    const send = failmask(['send', to, path]);
    expect(await codes(send, recv)).toEqual([0, 0]);
    expect((await reading).equals(data)).toBe(true);
    expect(existsSync(`${fifo}.part`)).toBe(false);
  });

  it('a FIFO that nobody reads: Ctrl-C ends the receiver all the same', async () => {
    const fifo = join(makeDirectory(), 'fifo');
    execFileSync('mkfifo', [fifo]);
    const { recv, to } = await receiver('-o', fifo);
    const send = failmask(['send', to, '-'], { stdin: 'pipe' });
    send.write('x');
    await recv.line(/^connection from/);
    recv.kill('SIGINT');
    expect(await codes(send, recv)).toEqual([4, 130]);
  });

  it('a FIFO that nobody writes: Ctrl-C ends the sender all the same', async () => {
    const fifo = join(makeDirectory(), 'fifo');
    execFileSync('mkfifo', [fifo]);
    const { recv, to } = await receiver('-o', '-');
    const send = failmask(['send', to, fifo]);
    await recv.line(/^connection from/);
    send.kill('SIGINT');
    expect(await codes(send, recv)).toEqual([130, 0]);
  });

  it('a FIFO as input', async () => {
    const fifo = join(makeDirectory(), 'fifo');
    execFileSync('mkfifo', [fifo]);
    const { recv, to } = await receiver('-o', '-');
    const send = failmask(['send', to, fifo]);
    await recv.line(/^connection from/);
    writeFileSync(fifo, 'through a pipe');
    expect(await codes(send, recv)).toEqual([0, 0]);
    expect(String(recv.stdout)).toBe('through a pipe');
  });

  it('a reader of stdout that stalls: Ctrl-C ends the receiver all the same', async () => {
    const { recv, to } = await receiver('-o', '-');
    const send = failmask(['send', to, '/dev/zero']);
    await recv.until(() => recv.stdoutBytes > 0);
    recv.child.stdout!.pause();
    await recv.line(/ 0\.00 bits\/sec/);
    recv.kill('SIGINT');
    expect(await send.code()).toBe(4);
    // Its end comes with the end of the pipe, which is ours to read.
    recv.child.stdout!.resume();
    expect(await recv.code()).toBe(130);
  });

  it('a reader of stdout that leaves: both sides fail', async () => {
    const { recv, to } = await receiver('-o', '-');
    const send = failmask(['send', to, '-'], { stdin: 'pipe' });
    send.write('first');
    await recv.until(() => recv.stdoutBytes > 0);
    recv.child.stdout!.destroy();
    send.write('second');
    expect(await codes(recv, send)).toEqual([1, 4]);
  });
});

describe('a reset that is lost', () => {
  // Nothing is under way, so nobody asks: the process itself must not end before it has said it again.
  it.each(['send', 'recv'] as const)('is said again by %s before it exits', async (name) => {
    const { recv, to } = await receiver('-o', '-');
    const proxy = await startProxy({ port: 0, targetHost: '127.0.0.1', targetPort: Number(to.split(':')[1]), seed: 1 });
    try {
      const send = failmask(['send', `127.0.0.1:${proxy.address.port}`, '-'], { stdin: 'pipe' });
      send.write('x');
      await recv.until(() => recv.stdoutBytes > 0);
      const [victim, other, direction] = name === 'send' ? [send, recv, 'up' as const] : [recv, send, 'down' as const];
      proxy.setProfile(direction, parseProfile('blackhole'));
      victim.kill('SIGTERM');
      while (proxy.stats()[direction].blackholed === 0 && victim.child.exitCode === null) await new Promise((resolve) => setImmediate(resolve));
      proxy.setProfile(direction, defaultProfile);
      expect(await codes(victim, other)).toEqual([130, 4]);
    } finally {
      await proxy.close();
    }
  });
});

describe('--json', () => {
  it('every line parses and has the documented fields', async () => {
    const directory = makeDirectory();
    const { path, sha256 } = randomFile(directory, 200_000);
    const recv = failmask(['recv', '-p', 0, '-o', join(directory, 'output'), '--json']);
    await recv.until(() => recv.stdoutBytes > 0);
    expect(recv.objects[0]).toEqual({ type: 'listening', host: '127.0.0.1', port: expect.any(Number) });
    const send = failmask(['send', `127.0.0.1:${recv.objects[0]!.port}`, path, '--json']);
    expect(await codes(send, recv)).toEqual([0, 0]);
    for (const [program, role] of [[send, 'send'], [recv, 'recv']] as const) {
      expect(program.stderr).toBe('');
      expect(program.summary).toMatchObject({
        type: 'summary', role, bytes: 200_000, seconds: expect.any(Number), bits_per_second: expect.any(Number), sha256,
        complete: true, retransmissions: expect.any(Number), srtt_ms: expect.toSatisfy((ms) => ms === null || ms >= 0), error: null,
      });
      for (const interval of program.objects.filter(({ type }) => type === 'interval')) {
        expect(interval).toMatchObject({ start: expect.any(Number), end: expect.any(Number), bytes: expect.any(Number), retransmits: expect.any(Number), snd_cwnd: expect.any(Number) });
      }
    }
  });
});
