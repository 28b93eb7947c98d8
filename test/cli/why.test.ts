import { describe, expect, it } from 'vitest';

import { commands } from '../../src/cli/commands.ts';
import { CommandError, Exit } from '../../src/cli/exit.ts';
import type { WhyArgs } from '../../src/cli/lab/lab.ts';
import { runWhy } from '../../src/cli/lab/why-run.ts';
import { runProgram } from '../../src/cli/program.ts';
import { asynchronousQuorums } from '../../src/lab/why/agreement.ts';
import type { MakeExhibit } from '../../src/lab/why/exhibit.ts';
import { cellOf, type Cell } from '../../src/lab/why/thresholds.ts';
import { displayWidth } from '../../src/report/table.ts';

const ARGS: WhyArgs = { members: 5, seed: 1, lang: 'en', story: undefined, json: false, quiet: false };

interface Ended {
  readonly out: string;
  readonly err: string;
  readonly error: CommandError | undefined;
}

function why(args: Partial<WhyArgs>, cells: readonly Cell[] = [], exhibits?: readonly MakeExhibit[]): Ended {
  const ended = { out: '', err: '', error: undefined as CommandError | undefined };
  try {
    runWhy({ ...ARGS, ...args }, { cells, ...(exhibits === undefined ? {} : { reasons: [], exhibits }), stdout: { write: (text) => (ended.out += text) }, stderr: { write: (text) => (ended.err += text) } });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    ended.error = error;
  }
  return ended;
}

describe('failmask lab why', () => {
  const cells = [0, 1, 2].map((f) => cellOf('raft', 'crash', 3, f, 1)!);

  it('--json: rows of just eight fields, and a mark where nothing was run; one a line, and nothing for people', () => {
    const { out, err, error } = why({ json: true, lang: 'pt-BR' }, cells, [asynchronousQuorums]);
    const rows = out.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(error).toBeUndefined();
    expect(err).toBe('');
    const fields = ['mode', 'fault', 'n', 'f', 'threshold', 'verdict', 'runs', 'seed'];
    for (const row of rows) expect(Object.keys(row)).toEqual(row['mode'] === 'raft' ? fields : [...fields, 'counted']);
    expect(rows[2]).toEqual({ mode: 'raft', fault: 'crash', n: 3, f: 2, threshold: 1, verdict: 'D', runs: 3, seed: 1 });
    expect(rows.map(({ mode }) => mode)).toContain('asynchronous-quorum');
    for (const { f, threshold, verdict } of rows) expect(verdict === 'M').toBe(Number(f) <= Number(threshold));
  });

  it('a frontier that is another one than theory says: exit 99, and the cell is named', () => {
    const wrong: Cell = { ...cells[1]!, verdict: 'W' };
    const { error, err } = why({}, [cells[0]!, wrong, cells[2]!], []);
    expect(error?.exitCode).toBe(Exit.expectationNotMet);
    expect(error?.message).toBe('not as theory says: raft/crash/3/1 gives W, theory says M');
    expect(err).toMatch(/^n = 3 {3}M W\?D/m);
    // Too much masked is as wrong, and so is what shows not what it is to show.
    expect(why({}, [{ ...cells[2]!, verdict: 'M' }], []).error?.exitCode).toBe(Exit.expectationNotMet);
    expect(why({}, [], [() => ({ title: 'magic', text: '', isShown: false })]).error?.message).toBe('not as theory says: magic');
  });

  it('why k+1 and why 2k+1 first, then the table, the stories, and what else there is to see, in 100 columns; all of it in Portuguese', () => {
    const { err, error } = why({ lang: 'pt-BR' }, cells);
    expect(error).toBeUndefined();
    for (const line of err.split('\n')) expect(displayWidth(line), line).toBeLessThanOrEqual(100);
    expect(err).toMatch(/^n = 3 {3}M M│D$/m);
    const parts = ['k-tolerante', 'duas réplicas diferem', 'Por que k+1?', 'Por que 2k+1?', 'k contra k', 'M M│D', 'Além de cada fronteira'].map((part) => err.indexOf(part));
    expect(parts).not.toContain(-1);
    expect(parts).toEqual([...parts].sort((a, b) => a - b));
    expect(err).toContain('raft/crash/3/2, mascarada até f = 1 → D, detectada');
    expect(err).toContain('tenente 1 não pode distinguir');
    expect(err).toContain('(n−k) − k > k');
    expect(err).toContain('n > 3m');
    expect(err).not.toMatch(/\b(the|masked|crashes|lies|leader|lieutenant|worse|error|lost)\b/u);
  });

  it('--story tells one cell', () => {
    const { err, error } = why({ story: 'quorum/two-faced/3/1' });
    expect(error).toBeUndefined();
    expect(err).toMatch(/^quorum\/two-faced\/3\/1, masked up to f = 0 → W, wrong, and accepted \(faulty: m\d\)\n +ms +c0 +c1 +m0 +m1 +m2\n/);
  });

  it.each([
    [['--lang', 'de'], '--lang: "de" is not a language here: en, pt-BR'],
    [['--story', 'raft/crash/3'], '--story: "raft/crash/3" is not MODE/FAULT/N/F, as in raft/crash/5/3, with a mode of raft, '],
    [['--story', 'raft/two-faced:leader/3/1'], '--story: "two-faced:leader" is not a fault of raft: crash, '],
    [['--story', 'raft/crash/3/4'], '--story: 4 faulty members of 3: '],
    [['--story', 'sequencer/two-faced:non-leader/3/3'], '--story: there is no such placement: '],
  ])('%s is wrong usage', async (flags, message) => {
    const error = await runProgram(['lab', 'why', ...flags], commands, { columns: 80 }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ exitCode: Exit.wrongUsage });
    expect((error as CommandError).message).toContain(message);
  });
});
