import { oneLine, UsageError } from './exit.ts';

const POSITIONAL = /^[<[]/;

/**
 * The error to report when yargs fails. It passes wrong usage as a bare message or as a YError (also around what a `coerce` throws): that becomes
 * one line that names the flag as people write it. Everything else is the command's own error, and stays as it is.
 * `commandTexts` are the commands as declared, each with those above it: `send <to> [file]`, `group`, `group kill <members..>`.
 */
export function explainUsage(message: string | null | undefined, error: unknown, args: readonly string[], commandTexts: readonly string[]): unknown {
  const parserError = error instanceof Error && error.name === 'YError' ? error : undefined;
  if (error !== undefined && error !== null && parserError === undefined) return error;
  const commandText = commandTexts.filter((text) => isNamed(text, args)).sort((a, b) => wordsOf(b).length - wordsOf(a).length)[0];
  const help = commandText === undefined ? 'failmask --help' : `failmask ${wordsOf(commandText).join(' ')} --help`;
  return new UsageError(`${explain(oneLine(message ?? parserError?.message ?? 'wrong usage'), args, commandText)} (see ${help})`);
}

function explain(message: string, args: readonly string[], commandText: string | undefined): string {
  const unknown = /^Unknown (?:argument|command)s?: (.+)$/.exec(message);
  if (unknown !== null) return `not understood: ${spelled(unknown[1]!, args)}`;
  const suggestion = /^Did you mean (.+)\?$/.exec(message);
  if (suggestion !== null) return `no command "${args.find((arg) => !arg.startsWith('-') && !wordsOf(commandText ?? '').includes(arg)) ?? ''}": did you mean ${suggestion[1]}?`;
  const valueless = /^Not enough arguments following: (.+)$/.exec(message);
  if (valueless !== null) return `${asFlag(valueless[1]!)} needs a value`;
  const required = /^Missing required arguments?: (.+)$/.exec(message);
  if (required !== null) return `missing: ${required[1]!.split(', ').map(asFlag).join(', ')}`;
  const tooFew = /^Not enough non-option arguments: got (\d+), need at least \d+$/.exec(message);
  if (tooFew !== null) return `missing: ${positionals(commandText ?? '')[Number(tooFew[1])] ?? 'an argument'}`;
  const choice = /^Invalid values: Argument: ([^,]+), Given: (.*), Choices: (.*)$/.exec(message);
  if (choice !== null) {
    const [, name, given, choices] = choice;
    return `${positionals(commandText ?? '').includes(name!) ? name : asFlag(name!)}: ${given} is none of ${choices}`;
  }
  return message;
}

/** Names with the dashes that they have in `args`; a name that is no flag there is a word. */
function spelled(names: string, args: readonly string[]): string {
  return names
    .split(', ')
    .map((name) => (args.some((arg) => arg.startsWith('-') && arg !== '-' && arg.split('=')[0] === asFlag(name)) ? asFlag(name) : name))
    .join(', ');
}

function asFlag(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}

/** The words of a command without its positionals: `group`, `kill`. */
function wordsOf(commandText: string): string[] {
  return commandText.split(' ').filter((word) => !POSITIONAL.test(word));
}

function positionals(commandText: string): string[] {
  return commandText.split(' ').filter((word) => POSITIONAL.test(word)).map((word) => word.replace(/[<>[\].]/g, ''));
}

/** All its words are in `args`, in this order. */
function isNamed(commandText: string, args: readonly string[]): boolean {
  let at = -1;
  return wordsOf(commandText).every((word) => (at = args.indexOf(word, at + 1)) >= 0);
}
