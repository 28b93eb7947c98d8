import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';

import { endAll, failmask, makeDirectory, type Program } from './program.ts';

afterEach(endAll);

const SOURCE = randomBytes(1_000_000);
const HALF = SOURCE.length / 2;

function sha256(path: string): string | undefined {
  return existsSync(path) ? createHash('sha256').update(readFileSync(path)).digest('hex') : undefined;
}

/** Has given half of the source to the group, and waits for more. */
async function sendHalf(name: string, control: string, ...flags: string[]): Promise<Program> {
  const send = failmask(['group', 'send', '--name', name, '--control', control, '--json', ...flags], { stdin: 'pipe' });
  send.write(SOURCE.subarray(0, HALF));
  await send.until(() => send.objects.some(({ type, bytes }) => type === 'interval' && bytes > 0), 'something is confirmed');
  return send;
}

describe('a file to a replicated group', () => {
  it('goes on when its sender is gone and when its leader is; more crashes than can be masked are told in bounded time', async () => {
    const directory = makeDirectory();
    const file = join(directory, 'source');
    writeFileSync(file, SOURCE);
    const disks = join(directory, 'disks');
    const up = failmask(['group', 'up', '--json', '--service', 'file', '--data-dir', disks, '-p', 0, '--control', '127.0.0.1:0']);
    await up.until(() => up.objects.some(({ type }) => type === 'up'));
    const control = String(up.objects.find(({ type }) => type === 'up')!['control']);
    const run = async (...args: string[]): Promise<Program> => {
      const program = failmask([...args, '--control', control, '--json']);
      await program.code();
      return program;
    };
    const copies = (name: string): (string | undefined)[] => ['m1', 'm2', 'm3'].map((member) => sha256(join(disks, member, 'files', name)));
    const right = sha256(file);

    const gone = await sendHalf('a', control);
    const second = await run('group', 'send', file, '--name', 'a');
    expect([await second.code(), second.stderr]).toEqual([3, expect.stringMatching(/^failmask: refused: "a" is another sender's, \d+ bytes so far: /)]);
    gone.kill('SIGKILL');
    const heir = await run('group', 'send', file, '--name', 'a', '--take-over');
    expect([await heir.code(), heir.summary]).toEqual([0, expect.objectContaining({ complete: true, bytes: SOURCE.length, sha256: right })]);

    const send = await sendHalf('b', control);
    const kill = await run('group', 'kill', 'leader');
    expect(await kill.code()).toBe(0);
    send.child.stdin!.end(SOURCE.subarray(HALF));
    expect([await send.code(), send.summary]).toEqual([0, expect.objectContaining({ complete: true, bytes: SOURCE.length, sha256: right })]);
    const files = await run('group', 'files');
    expect(files.objects[0]!['files']).toMatchObject([{ name: 'a', committed: true, sha256: right }, { name: 'b', committed: true, sha256: right }]);
    // The last follower hears with the next heartbeat that it is committed.
    while (copies('b').filter((copy) => copy !== undefined).length < 2) await run('group', 'status');
    expect(copies('b').filter((copy) => copy === right)).toHaveLength(2);
    expect(copies('a').filter((copy) => copy !== undefined && copy !== right)).toEqual([]);

    const lost = await sendHalf('c', control, '--timeout', '3s');
    await run('group', 'kill', 'leader');
    lost.child.stdin!.end(SOURCE.subarray(HALF));
    expect([await lost.code(), lost.summary]).toEqual([5, expect.objectContaining({ complete: false, sha256: null })]);
    expect(copies('c')).toEqual([undefined, undefined, undefined]);
  });

  it.each([
    [['--service', 'file', '--data-dir', 'x', '--mode', 'quorum'], /no order/],
    [['--service', 'file'], /--data-dir/],
  ])('needs an order, and a place: %j', async (flags, reason) => {
    const up = failmask(['group', 'up', ...flags]);
    expect([await up.code(), up.stderr]).toEqual([2, expect.stringMatching(reason)]);
  });
});
