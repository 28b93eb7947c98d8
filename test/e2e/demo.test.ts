import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

interface Running {
  readonly child: ChildProcess;
  readonly events: Record<string, unknown>[];
  /** Resolves at the first event for which `isIt` is true; rejects if the process ends before. */
  until(isIt: (event: Record<string, unknown>) => boolean): Promise<void>;
  readonly ended: Promise<{ code: number | null; stderr: string }>;
}

describe('failmask demo', () => {
  /** Where the process makes its temporary files. */
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'failmask-demo-test-'));
  });

  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  function start(...args: string[]): Running {
    const child = spawn(process.execPath, ['--import', 'tsx', MAIN, 'demo', '--json', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, TMPDIR: directory },
    });
    const events: Record<string, unknown>[] = [];
    let stderr = '';
    let look = (): void => {};
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    createInterface({ input: child.stdout }).on('line', (line) => {
      events.push(JSON.parse(line) as Record<string, unknown>);
      look();
    });
    const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stderr }));
    return {
      child, events, ended,
      until: (isIt) => new Promise((resolve, reject) => {
        look = () => {
          if (events.some(isIt)) resolve();
        };
        look();
        void ended.then(() => reject(new Error(`the demonstration ended: ${stderr}`)));
      }),
    };
  }

  it('shows what is masked and what is not, and leaves nothing behind', async () => {
    const { events, ended } = start('--size', '1MiB');
    expect(await ended).toEqual({ code: 0, stderr: '' });
    const steps = events.filter(({ type }) => type === 'step');
    expect(steps.map(({ verdict, exit_code: exitCode }) => [verdict, exitCode])).toEqual([
      ['masked', 0], ['detected', 5], ['detected', 4], ['masked', 0], ['detected', 5],
    ]);
    expect(steps[0]!['hits']).toMatchObject({
      lost: expect.any(Number), duplicated: expect.any(Number), reordered: expect.any(Number), corrupted: expect.any(Number), retransmissions: expect.any(Number),
    });
    for (const step of steps) expect(step).toMatchObject({ agrees: true, expected: step['verdict'] });
    expect(events.at(-1)).toMatchObject({ type: 'summary', agrees: true, problems: [] });
    expect(readdirSync(directory).filter((name) => name.startsWith('failmask-'))).toEqual([]);
  });

  it.runIf(process.platform === 'linux').each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)('killed by %s, it takes its processes and files along', async (signal) => {
    const { child, until, ended } = start('--size', '1MiB');
    await until(({ type, text }) => type === 'event' && String(text).startsWith('without faults'));
    // The next transfer is about to run, or runs.
    while (processesIn(directory).length < 3) await readdir(directory);
    expect(readdirSync(directory).some((name) => name.startsWith('failmask-'))).toBe(true);
    child.kill(signal);
    const { code } = await ended;
    expect(code).toBe(signal === 'SIGKILL' ? null : 130);
    while ((await readdir(directory)).some((name) => name.startsWith('failmask-'))) continue;
    // A process that is just being started has no environment yet: one empty look is not enough.
    for (let empty = 0; empty < 5; empty = processesIn(directory).length > 0 ? 0 : empty + 1) await readdir(directory);
  });

  it('refuses a network without loss', async () => {
    const { ended } = start('--loss', '0');
    expect(await ended).toMatchObject({ code: 2, stderr: expect.stringContaining('--loss: 0 is out of range') });
  });
});

/** Living processes that were started with `directory` as their TMPDIR: the demonstration and all that descends from it. */
function processesIn(directory: string): number[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      // A zombie, for which nobody may wait, has no environment any more.
      return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(`TMPDIR=${directory}`);
    } catch {
      return false;
    }
  });
}
