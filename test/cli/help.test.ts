import { afterEach, describe, expect, it, vi } from 'vitest';

import { commands } from '../../src/cli/commands.ts';
import { runProgram, type Command, type CommandGroup } from '../../src/cli/program.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

async function helpOf(words: readonly string[], columns: number): Promise<string> {
  let printed = '';
  const spy = vi.spyOn(console, 'log').mockImplementation((text: unknown) => {
    printed += `${String(text)}\n`;
  });
  await runProgram([...words, '--help'], commands, { columns });
  spy.mockRestore();
  return printed;
}

interface Named {
  readonly path: string;
  readonly isLeaf: boolean;
}

/** Those that people may call. */
function named(list: readonly Command[], above: readonly string[] = []): Named[] {
  return list.filter(({ describe: text }) => text !== false).flatMap((module) => {
    const path = [...above, String([module.command].flat()[0]).split(' ')[0]!];
    const { subcommands } = module as Partial<CommandGroup>;
    return [{ path: path.join(' '), isLeaf: subcommands === undefined }, ...named(subcommands ?? [], path)];
  });
}

interface Option {
  readonly name: string;
  readonly text: string;
}

/** What the help says of each flag or argument, in one line. */
function entriesOf(help: string, title: string): Option[] {
  const section = help.split(`${title}:\n`)[1]?.split('\n\n')[0] ?? '';
  const entries: { name: string; text: string }[] = [];
  for (const line of section.split('\n')) {
    const start = /^ {2}(?:-\w, | {4})?((?:--)?[a-z][\w-]*)(?: {2,}|$)(.*)$/.exec(line);
    if (start !== null) entries.push({ name: start[1]!, text: start[2]! });
    else if (entries.length > 0) entries.at(-1)!.text += ` ${line.trim()}`;
  }
  return entries;
}

/** Flags that ask for something that is not done, or not restricted, without them. */
const NOT_WITHOUT_THEM = new Set(['--ipv4', '--ipv6', '--script', '--pcap', '--file', '--history', '--story', '--group', '--log', '--shiviz', '--expected', '--absent', '--out']);

const all = named(commands);

it('finds the commands below others, too', () => {
  expect(all.filter(({ isLeaf }) => isLeaf).map(({ path }) => path)).toEqual(expect.arrayContaining(['send', 'group up', 'group kill', 'kv load', 'lab why', 'bench loss']));
});

describe.each(all)('failmask $path --help', ({ path, isLeaf }) => {
  it('names itself in its examples, and has one if it does something', async () => {
    const help = await helpOf(path.split(' '), 100);
    expect(help).toMatch(/^failmask/);
    // yargs puts the name into the command of an example, and not into its description.
    expect(help).not.toContain('$0');
    if (isLeaf) expect(help.split('Examples:')[1]).toContain(`failmask ${path}`);
  });

  it.runIf(isLeaf)('says of each argument what it is, and of each flag what holds without it', async () => {
    const help = await helpOf(path.split(' '), 100);
    const positionals = entriesOf(help, 'Positionals');
    const flags = entriesOf(help, 'Options').concat(entriesOf(help, 'Transport'));
    for (const { name, text } of [...positionals, ...flags]) expect(text.trim(), name).not.toMatch(/^\[/);
    expect(flags.filter(({ name, text }) => !/default|not given|with --to|\[required\]/i.test(text) && !NOT_WITHOUT_THEM.has(name))).toEqual([]);
  });

  it('keeps words apart in a terminal of the usual width', async () => {
    expect(await helpOf(path.split(' '), 80)).not.toMatch(/\S\[(?:string|boolean|array|choices|default|required)/);
  });
});
