import { afterEach, expect, it, vi } from 'vitest';

import { commands } from '../../src/cli/commands.ts';
import { runProgram } from '../../src/cli/program.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

async function helpOf(words: readonly string[]): Promise<string> {
  let printed = '';
  const spy = vi.spyOn(console, 'log').mockImplementation((text: unknown) => {
    printed += `${String(text)}\n`;
  });
  await runProgram([...words, '--help'], commands, { columns: 100 });
  spy.mockRestore();
  return printed;
}

/** Help of the command and of all below it, by name. */
async function allHelp(words: readonly string[] = []): Promise<Map<string, string>> {
  const text = await helpOf(words);
  const texts = new Map([[words.join(' '), text]]);
  const prefix = ['failmask', ...words, ''].join(' ');
  const names = new Set(text.split('Commands:')[1]?.split('\n\n')[0]?.split('\n').filter((line) => line.trim().startsWith(prefix)).map((line) => line.trim().slice(prefix.length).split(' ')[0]!));
  for (const name of names) for (const [path, below] of name === 'completion' ? [] : await allHelp([...words, name])) texts.set(path, below);
  return texts;
}

it('every command has a help, and names itself in its examples', async () => {
  const texts = await allHelp();
  expect([...texts.keys()]).toEqual(expect.arrayContaining(['send', 'group up', 'group kill', 'kv load', 'lab why']));
  for (const [path, text] of texts) {
    expect(text, path).toMatch(/^failmask/);
    // yargs puts the name into the command of an example, and not into its description.
    expect(text, path).not.toContain('$0');
  }
});
