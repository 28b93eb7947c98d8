import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const run = promisify(execFile);

function failmask(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  return run(process.execPath, ['--import', 'tsx', MAIN, ...args], { encoding: 'utf8', maxBuffer: 64 << 20 });
}

describe('failmask sim', () => {
  it('prints the world, how each end ended, and that every checker agrees', async () => {
    const { stdout, stderr } = await failmask('sim', '--seed', '3');
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^seed 3: /);
    expect(stderr).toMatch(/connection 0, client: clean, wrote/);
    expect(stderr).toMatch(/every checker agrees/);
  });

  it('--json: one line a world, then the summary', async () => {
    const { stdout } = await failmask('sim', '--seed', '3', '--count', '2', '--json');
    const lines = stdout.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.map(({ type }) => type)).toEqual(['world', 'world', 'summary']);
    expect(lines[0]).toMatchObject({ seed: 3, violations: [] });
    expect(lines[2]).toMatchObject({ count: 2, failed: 0 });
  });

  it('--trace prints segments', async () => {
    const { stderr } = await failmask('sim', '--seed', '4', '--trace');
    expect(stderr).toMatch(/client0 +send +connection=\S+ reason=syn S seq/);
  });
});
