import { readFileSync } from 'node:fs';
import yargs, { type Argv, type CommandModule } from 'yargs';

import { protectDashes, restoreDashes } from './dash.ts';
import { explainUsage } from './usage.ts';

// `any`: each module knows its own arguments; a list of them has no common type.
export type Command = CommandModule<any, any>;

/** A command that does nothing itself; `builder` says what there is besides its subcommands. */
export interface CommandGroup extends CommandModule {
  readonly subcommands: readonly Command[];
}

export interface ProgramOptions {
  /** Width of --help. The terminal's, at most 100, when absent. */
  readonly columns?: number;
}

const MAX_HELP_COLUMNS = 100;
const DEFAULT_COLUMNS = 80;

const EPILOGUE = `Durations take ms, s, m; sizes KiB, MiB, GiB (and kB, MB); rates kbit, mbit, gbit; probabilities 20% or 0.2.
Interval lines count bytes in 1024s and bits in 1000s, as iperf3 does.

Exit codes: 0 done, 1 runtime error, 2 wrong usage, 3 refused or no connection, 4 ECONNRESET, 5 ETIMEDOUT, 6 bytes differ, 99 expectation not met, 130 interrupted.`;

const EXAMPLES: [string, string][] = [
  ['$0 recv -p 9000 -o copy.bin', 'Receive one file'],
  ['$0 proxy -l 9001 -u 127.0.0.1:9000 --loss 20%', 'A network that loses one datagram in five'],
  ['$0 send 127.0.0.1:9001 photo.jpg', 'Send a file through it'],
  ['$0 demo', 'What is masked, and what is not'],
];

/**
 * Parses `args` (without node and script) and runs the command; --help, --version and completion are printed to stdout. Rejects with a
 * UsageError for wrong usage and with the command's own error otherwise, and prints nothing about errors itself.
 */
export async function runProgram(args: readonly string[], commands: readonly Command[], { columns = helpColumns() }: ProgramOptions = {}): Promise<void> {
  const commandTexts = textsOf(commands);
  const explain = (message: string | undefined, error: unknown): unknown => explainUsage(message, error, args, commandTexts);
  try {
    await buildParser(protectDashes(args), commands, columns)
      .fail((message, error) => {
        throw explain(message, error);
      })
      .parseAsync();
  } catch (error) {
    // Some errors pass `fail` by.
    throw explain(undefined, error);
  }
}

/** Commands as declared, those of a command behind its name. */
function textsOf(commands: readonly Command[], above = ''): string[] {
  return commands.flatMap((module) => {
    const text = above + [module.command ?? []].flat().join(' ');
    return [text, ...textsOf((module as Partial<CommandGroup>).subcommands ?? [], `${text} `)];
  });
}

function buildParser(args: string[], commands: readonly Command[], columns: number): Argv {
  return (
    yargs(args)
      .scriptName('failmask')
      .usage('$0 COMMAND\n\nA TCP of its own over UDP, a network built to hurt it, and replicated groups that survive what it cannot.')
      .command(commands.map(withCommonOptions))
      // Values stay words for the flags' own parsers, and a flag with a dot is no object.
      .parserConfiguration({ 'dot-notation': false, 'parse-numbers': false, 'parse-positional-numbers': false })
      .middleware((argv) => restoreDashes(argv), true)
      .example(EXAMPLES)
      .demandCommand(1, 'name a command')
      .strict()
      .recommendCommands()
      .completion('completion', 'Print a completion script for bash or zsh')
      .version(packageVersion())
      .alias('version', 'V')
      .help()
      .alias('help', 'h')
      .epilogue(EPILOGUE)
      .detectLocale(false)
      .wrap(columns)
      // yargs would end the process itself, and print errors of asynchronous handlers twice.
      .exitProcess(false)
  );
}

/**
 * Adds --json and --quiet, listed last, to each command that does something. And every flag of type string needs its value: yargs takes a flag that has a default and stands
 * without a value (`--user-timeout` alone) for one that was not given.
 */
function withCommonOptions(module: Command): Command {
  const { builder } = module;
  const positionals = new Set([module.command ?? []].flat().flatMap((text) => [...text.matchAll(/[<[]([^.\]>]+)/g)].map(([, name]) => name)));
  return {
    ...module,
    builder: (parser: Argv) => {
      // Groups are printed in the order in which they are first named.
      parser.group([], 'Positionals:').group([], 'Options:');
      if (typeof builder === 'function') void builder(parser);
      else if (builder !== undefined) parser.options(builder);
      const { subcommands } = module as Partial<CommandGroup>;
      if (subcommands !== undefined) return parser.command(subcommands.map(withCommonOptions));
      const { string } = (parser as Argv & { getOptions(): { string: string[] } }).getOptions();
      return parser
        .requiresArg(string.filter((key) => !positionals.has(key)))
        .options({
          json: { type: 'boolean', default: false, describe: 'One JSON object a line on stdout, no human lines' },
          quiet: { alias: 'q', type: 'boolean', default: false, describe: 'No progress, only the result' },
        })
        .group(['json', 'quiet', 'help', 'version'], 'Everywhere:');
    },
  };
}

function helpColumns(): number {
  return Math.min(MAX_HELP_COLUMNS, process.stdout.columns ?? DEFAULT_COLUMNS);
}

function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  return version;
}
