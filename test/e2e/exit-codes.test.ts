import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, statSync, mkdirSync, rmdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createServer } from '../../src/index.ts';
import { endAll, failmask, makeDirectory } from './program.ts';
import { codes, randomFile, receiver, unusedPort } from './transfers.ts';

/** How `send` and `recv` end when they do not succeed; 4 and 5 after a crash are in crash.test.ts. */
afterEach(endAll);

describe('exit codes', () => {
  it('1: what cannot be read or written is said before anybody is connected to', async () => {
    const directory = makeDirectory();
    symlinkSync(join(directory, 'nowhere'), join(directory, 'dangling'));
    for (const file of ['missing', 'dangling', '']) {
      const send = failmask(['send', '127.0.0.1:9', join(directory, file)]);
      expect(await send.code()).toBe(1);
      expect(send.stderr).toMatch(/^failmask: .*(ENOENT|is a directory).*\n$/);
    }
    const pcap = failmask(['send', '127.0.0.1:9', '/dev/null', '--pcap', join(directory, 'no/such/file')]);
    expect(await pcap.code()).toBe(1);
  });

  it('1: an output that cannot be opened is said at once; if it goes later, the sender sees a reset', async () => {
    const directory = makeDirectory();
    const folder = join(directory, 'folder');
    mkdirSync(folder);
    for (const output of [folder, join(directory, 'no', 'file')]) {
      const recv = failmask(['recv', '-p', 0, '-o', output]);
      expect(await recv.code()).toBe(1);
      expect(recv.stderr).toMatch(/^failmask: .*(is a directory|ENOENT).*\n$/);
    }
    const { recv, to } = await receiver('-o', join(folder, 'file'));
    rmdirSync(folder);
    expect(await codes(failmask(['send', to, '/dev/zero']), recv)).toEqual([4, 1]);
    expect(recv.stderr).toContain('ENOENT');
  });

  it('1: a full disk gives the sender a non-zero exit, and leaves no file', async () => {
    const { path } = randomFile(makeDirectory(), 300_000);
    const { recv, to } = await receiver('-o', '/dev/full');
    expect(await codes(failmask(['send', to, path]), recv)).toEqual([4, 1]);
    expect(recv.stderr).toContain('ENOSPC');
  });

  it('1: the port is taken', async () => {
    const { to } = await receiver('-o', '-');
    const second = failmask(['recv', '-p', to.split(':')[1]!]);
    expect(await second.code()).toBe(1);
    expect(second.stderr).toMatch(/^failmask: .*EADDRINUSE.*\n$/);
  });

  it('5: a group that lets nobody in', async () => {
    const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const get = failmask(['kv', 'get', 'key', '--to', `127.0.0.1:${(server.address() as { port: number }).port}`, '--mode', 'raft', '--timeout', '500ms']);
    expect(await get.code()).toBe(5);
    expect(get.stderr).toMatch(/^failmask: get key: .*500 ms.*\n$/);
    server.close();
  });

  it('2: wrong usage', async () => {
    const wrong = [['send'], ['send', '127.0.0.1'], ['send', '127.0.0.1:9', '--user-timeout', '5'], ['recv'], ['recv', '-p', '0', '-C', 'vegas'], ['send', '127.0.0.1:9', '--integrity', 'maybe']];
    const programs = wrong.map((args) => failmask(args));
    expect(await codes(...programs)).toEqual(wrong.map(() => 2));
    for (const { stderr } of programs) expect(stderr).toMatch(/^failmask: [^\n]+\n$/);
  });

  it('3: nobody listens, at once', async () => {
    const send = failmask(['send', `127.0.0.1:${await unusedPort()}`, '/dev/null', '--json']);
    expect(await send.code()).toBe(3);
    // Of its own: a busy machine takes longer to start the process.
    expect(send.summary.seconds).toBeLessThan(1);
    expect(send.summary.error).toMatchObject({ code: 'ECONNREFUSED', details: { established: false } });
  });

  it('3: behind a proxy there is only silence until the connect timeout', async () => {
    const proxy = failmask(['proxy', '-l', 0, '-u', `127.0.0.1:${await unusedPort()}`]);
    const send = failmask(['send', `127.0.0.1:${await proxy.port()}`, '/dev/null', '--connect-timeout', '300ms', '--json']);
    expect(await send.code()).toBe(3);
    expect(send.summary.error).toMatchObject({ code: 'ETIMEDOUT', details: { established: false } });
  });

  it('3: a name that does not exist', async () => {
    expect(await failmask(['send', 'nowhere.invalid:9', '/dev/null']).code()).toBe(3);
  });

  it('the receiver is killed when it has acknowledged every byte and synced none: no FILE, the sender fails', async () => {
    const output = join(makeDirectory(), 'output');
    const { recv, to } = await receiver('-o', output);
    const send = failmask(['send', to, '-', '--user-timeout', '500ms', '--json'], { stdin: 'pipe' });
    send.write('x');
    await send.until(() => send.objects.some(({ type, bytes }) => type === 'interval' && bytes === 1), 'the byte is acknowledged');
    recv.kill('SIGKILL');
    await recv.exited;
    send.child.stdin!.end();
    expect([await send.code(), send.summary]).toEqual([5, expect.objectContaining({ complete: false })]);
    expect(existsSync(output)).toBe(false);
  });

  it.each(['SIGKILL', 'SIGINT'] as const)('the sender ends by %s in mid-transfer, behind a network that loses one in five: no FILE, and none that is half there', async (signal) => {
    const directory = makeDirectory();
    const { path } = randomFile(directory, 8_000_000);
    const output = join(directory, 'output');
    const { recv, to } = await receiver('-o', output, '--keepalive', '500ms/200ms/5');
    const proxy = failmask(['proxy', '-l', 0, '-u', to, '--loss', '20%', '--rate', '10mbit']);
    const send = failmask(['send', `127.0.0.1:${await proxy.port()}`, path, '-C', 'fixed:50']);
    await recv.line(/^connection from/);
    // Some of it is there, and not all.
    await recv.until(() => existsSync(`${output}.part`) && statSync(`${output}.part`).size > 0);
    expect(statSync(`${output}.part`).size).toBeLessThan(8_000_000);
    send.kill(signal);
    // A dead process says nothing: the receiver asks, and gives up. An interrupted one says so.
    expect(await codes(send, recv)).toEqual(signal === 'SIGINT' ? [130, 4] : [null, 5]);
    expect([existsSync(output), existsSync(`${output}.part`)]).toEqual([false, false]);
  });
});

describe('Ctrl-C', () => {
  it('ends a stream in order: what was sent is delivered, exit 130', async () => {
    const { recv, to } = await receiver('-o', '-');
    const send = failmask(['send', to, '-'], { stdin: 'pipe' });
    send.write('so far');
    await recv.until(() => recv.stdoutBytes === 6);
    send.kill('SIGINT');
    expect(await codes(send, recv)).toEqual([130, 0]);
    expect(send.stderr).toMatch(/interrupted: 6 bytes sent/);
  });

  it('a file that is not through does not look whole', async () => {
    const directory = makeDirectory();
    const { path } = randomFile(directory, 4_000_000);
    const output = join(directory, 'output');
    const { recv, to } = await receiver('-o', output, '--receive-buffer', '64KiB');
    const proxy = failmask(['proxy', '-l', 0, '-u', to, '--rate', '2mbit']);
    const send = failmask(['send', `127.0.0.1:${await proxy.port()}`, path]);
    await recv.line(/^connection from/);
    send.kill('SIGINT');
    expect(await codes(send, recv)).toEqual([130, 4]);
    expect(send.stderr).toMatch(/^interrupted: \d+ bytes sent(?!.*sha256)/m);
    expect([existsSync(output), existsSync(`${output}.part`)]).toEqual([false, false]);
  });

  it('before there is a connection', async () => {
    const seen = createSocket('udp4').bind(0, '127.0.0.1');
    await once(seen, 'listening');
    for (const input of ['-', '/dev/null']) {
      const send = failmask(['send', `127.0.0.1:${seen.address().port}`, input], { stdin: 'pipe' });
      await once(seen, 'message');
      // The second SYN comes a second later: by then the empty input is at its end.
      if (input === '/dev/null') await once(seen, 'message');
      send.kill('SIGINT');
      expect(await send.code()).toBe(130);
    }
    seen.close();
    const recv = failmask(['recv', '-p', 0]);
    await recv.port();
    recv.kill('SIGINT');
    expect(await recv.code()).toBe(130);
  });

  it('a second one ends at once', async () => {
    const { recv, to } = await receiver('-o', '-');
    const send = failmask(['send', to, '-'], { stdin: 'pipe' });
    await recv.line(/^connection from/);
    recv.kill('SIGSTOP');
    send.write('never acknowledged');
    send.kill('SIGINT');
    send.kill('SIGTERM');
    expect(await send.code()).toBe(130);
  });

  it('ends the receiver; the sender sees a reset', async () => {
    const { recv, to } = await receiver('-o', '-');
    const send = failmask(['send', to, '-'], { stdin: 'pipe' });
    send.write('x');
    await recv.until(() => recv.stdoutBytes > 0);
    recv.kill('SIGINT');
    expect(await codes(recv, send)).toEqual([130, 4]);
  });
});
