import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { endAll, failmask, MAIN, makeDirectory } from './program.ts';

/** What can only be seen from outside a process: whether it lives, and what an uncaught error does to it. */
afterEach(endAll);

const DIST = dirname(dirname(MAIN));
const PREAMBLE = `import { connect, createServer } from ${JSON.stringify(pathToFileURL(join(DIST, 'index.js')).href)};
import { once } from 'node:events';
const listen = async (options, onConnection) => {
  const server = createServer({ timeWaitMs: 20, ...options }, onConnection);
  server.listen({ host: '127.0.0.1' });
  await once(server, 'listening');
  return server;
};
const open = (server) => connect({ port: server.address().port, host: '127.0.0.1', timeWaitMs: 20 });
`;

/** Runs a script with the library; resolves with its output when it ends by itself. */
async function run(script: string): Promise<{ code: number | null; stdout: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', PREAMBLE + script], { stdio: ['ignore', 'pipe', 'inherit'] });
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += String(chunk)));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout };
}

describe('a listener that throws', () => {
  it('costs the others nothing, as in node:net', async () => {
    const { stdout } = await run(`
      process.on('uncaughtException', (error) => console.log(error.message));
      let count = 0;
      const server = await listen({}, (socket) => {
        socket.end('served');
        if (++count === 1) throw new Error('bad handler');
      });
      const read = async (socket) => { let text = ''; for await (const chunk of socket) text += chunk; return text; };
      console.log((await Promise.all([read(open(server)), read(open(server)), read(open(server))])).join());
      const client = open(server);
      client.on('connect', () => { throw new Error('bad client'); });
      console.log(await read(client));
      server.close();`);
    expect(stdout.trim().split('\n').sort()).toEqual(['bad client', 'bad handler', 'served', 'served,served,served']);
  });
});

describe('a process ends by itself', () => {
  it('when its server and connections are unreferenced', async () => {
    expect(await run(`
      const server = await listen();
      const client = open(server);
      client.on('error', () => {});
      const [[peer]] = await Promise.all([once(server, 'connection'), once(client, 'connect')]);
      for (const holder of [server, client, peer]) holder.unref();
      console.log('waits for nobody');`)).toEqual({ code: 0, stdout: 'waits for nobody\n' });
  });

  it('not because one connection of a listening server is unreferenced', async () => {
    expect(await run(`
      const server = await listen();
      const client = open(server).unref();
      const [peer] = await once(server, 'connection');
      peer.unref();
      setTimeout(() => { console.log('still here'); client.destroy(); peer.destroy(); server.close(); }, 50).unref();
      server.on('close', () => console.log('closed'));`)).toEqual({ code: 0, stdout: 'still here\nclosed\n' });
  });

  it('not before a connection of an unreferenced server is through', async () => {
    expect(await run(`
      const server = (await listen()).unref();
      server.on('connection', (peer) => peer.pipe(peer));
      const client = open(server);
      client.end('x'.repeat(200000));
      let bytes = 0;
      client.on('data', (chunk) => { bytes += chunk.length; });
      client.on('close', () => console.log(bytes));`)).toEqual({ code: 0, stdout: '200000\n' });
  });

  it('and resets what is open: the peer hears of it at once', async () => {
    const recv = failmask(['recv', '-p', 0, '-o', '-']);
    const port = await recv.port();
    const { code } = await run(`
      const client = connect({ port: ${port}, host: '127.0.0.1' });
      await once(client, 'connect');
      client.write('x');
      // Acknowledged: the receiver has taken the connection. One that is reset before that never was.
      setInterval(() => { if (client.info().counters.bytesAcked === 1) process.exit(7); }, 1);`);
    expect([code, await recv.code()]).toEqual([7, 4]);
  });
});

describe('a supervised child', () => {
  it('ends when its parent is killed, and tells its peers', async () => {
    const script = join(makeDirectory(), 'parent.mjs');
    writeFileSync(script, `import { superviseScript } from ${JSON.stringify(pathToFileURL(join(DIST, 'net/supervisor.js')).href)};
      const child = superviseScript([${JSON.stringify(MAIN)}, 'recv', '-p', '0', '-o', '/dev/null']);
      child.on('stderr', (line) => console.log(child.pid + ' ' + line));
      setInterval(() => {}, 1000);`);
    const parent = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface({ input: parent.stdout })[Symbol.asyncIterator]();
    const [, pid, port] = /^(\d+) listening on .*:(\d+)$/.exec((await lines.next()).value as string)!;
    const send = failmask(['send', `127.0.0.1:${port}`, '-'], { stdin: 'pipe' });
    send.write('x');
    expect((await lines.next()).value).toContain('connection from');
    parent.kill('SIGKILL');
    expect(await send.code()).toBe(4);
    // It has sent its reset from its exit handler; now it goes.
    const isAlive = (): boolean => {
      try {
        return process.kill(Number(pid), 0);
      } catch {
        return false;
      }
    };
    while (isAlive()) await new Promise((resolve) => setImmediate(resolve));
  });
});
