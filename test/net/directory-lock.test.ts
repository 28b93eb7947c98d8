import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { DirectoryInUseError, lockDirectory } from '../../src/net/directory-lock.ts';

const MODULE = fileURLToPath(new URL('../../src/net/directory-lock.ts', import.meta.url));

let directory: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'failmask-lock-'));
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

/** A process that takes the directory, says how that went, and stays. */
async function holder(): Promise<{ child: ChildProcess; said: string }> {
  const code = `import(${JSON.stringify(MODULE)}).then(({ lockDirectory }) => {
    try { lockDirectory(${JSON.stringify(directory)}); process.stdout.write('held'); } catch (error) { process.stdout.write(error.name); }
    setInterval(() => {}, 1000);
  });`;
  const child = spawn(process.execPath, ['--import', 'tsx', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const [said] = (await once(child.stdout!, 'data')) as [Buffer];
  return { child, said: said.toString() };
}

describe('a lock on a directory', () => {
  it('is held until it is released', () => {
    const lock = lockDirectory(directory);
    expect(() => lockDirectory(directory)).toThrow(DirectoryInUseError);
    expect(readdirSync(directory)).toHaveLength(1);
    lock.release();
    lock.release();
    expect(readdirSync(directory)).toEqual([]);
    lockDirectory(directory).release();
  });

  it('says which process holds it, and is free once that is killed', { timeout: 30_000 }, async () => {
    const { child, said } = await holder();
    expect(said).toBe('held');
    expect(() => lockDirectory(directory)).toThrow(`${directory} is in use by process ${child.pid}`);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const lock = lockDirectory(directory);
    expect(readdirSync(directory)).toHaveLength(1);
    lock.release();
  });

  it('of several that come at once, one has it at most', { timeout: 30_000 }, async () => {
    const outcomes = await Promise.all([holder(), holder(), holder()]);
    expect(outcomes.filter(({ said }) => said === 'held').length).toBeLessThanOrEqual(1);
    expect(outcomes.every(({ said }) => ['held', 'DirectoryInUseError'].includes(said))).toBe(true);
  });

  it('is not held by a process that has the number of one that is dead', () => {
    // Ours, in a container whose processes are numbered anew; and the parent's, which began at another time.
    writeFileSync(join(directory, `lock.${process.pid}.1.ab`), '');
    if (process.platform === 'linux') writeFileSync(join(directory, `lock.${process.ppid}.1.cd`), '');
    writeFileSync(join(directory, 'lock.999999999.1.ef'), '');
    lockDirectory(directory).release();
    expect(readdirSync(directory)).toEqual([]);
  });

  it('leaves other files alone, and needs a directory', () => {
    writeFileSync(join(directory, 'lock.of.a.door'), '');
    lockDirectory(directory).release();
    expect(readdirSync(directory)).toEqual(['lock.of.a.door']);
    expect(() => lockDirectory(join(directory, 'none'))).toThrow('ENOENT');
  });
});
