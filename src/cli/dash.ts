/**
 * yargs takes a lone "-" (stdin or stdout) for an empty flag, so that `send HOST:PORT -` and `--output -` lose it, and forgets words behind "--". So words
 * that only look like flags are marked before parsing, and the mark is taken off afterwards. No real argument contains NUL.
 */
const MARK = '\u0000';

export function protectDashes(args: readonly string[]): string[] {
  const terminator = args.indexOf('--');
  const flags = terminator === -1 ? args : args.slice(0, terminator);
  const words = terminator === -1 ? [] : args.slice(terminator + 1);
  return [...flags.map((arg) => (arg === '-' ? MARK + arg : arg)), ...words.map((arg) => (arg.startsWith('-') ? MARK + arg : arg))];
}

export function restoreDash(value: string): string {
  return value.startsWith(MARK) ? value.slice(MARK.length) : value;
}

/** In place, in strings and in lists of strings. */
export function restoreDashes(parsed: Record<string, unknown>): void {
  for (const [key, value] of Object.entries(parsed)) {
    if (typeof value === 'string') parsed[key] = restoreDash(value);
    else if (Array.isArray(value)) parsed[key] = value.map((item: unknown) => (typeof item === 'string' ? restoreDash(item) : item));
  }
}
