import { expect, test } from 'vitest';

import { UsageError } from '../../src/cli/exit.ts';
import { explainUsage } from '../../src/cli/usage.ts';

const COMMANDS = ['send <to> [file]', 'bench <what>', 'group', 'group kill <members..>', 'group send [file]'];

function explain(message: string, ...args: string[]): string {
  const error = explainUsage(message, undefined, args, COMMANDS);
  expect(error).toBeInstanceOf(UsageError);
  return (error as UsageError).message;
}

test('an error that is not about usage stays what it is', () => {
  const error = new TypeError('x');
  expect(explainUsage('text', error, [], COMMANDS)).toBe(error);
  expect(explainUsage(undefined, 'thrown text', [], COMMANDS)).toBe('thrown text');
});

test("the parser's own errors are about usage", () => {
  const error = new Error('--mtu: too small');
  error.name = 'YError';
  expect(explainUsage(undefined, error, ['send'], COMMANDS)).toEqual(new UsageError('--mtu: too small (see failmask send --help)'));
});

test('names get the dashes that they were given with; words get none', () => {
  expect(explain('Unknown arguments: a, bc, word', 'send', '-a', '--bc=1', 'word')).toBe('not understood: -a, --bc, word (see failmask send --help)');
  expect(explain('Missing required arguments: p, upstream', 'send')).toBe('missing: -p, --upstream (see failmask send --help)');
  expect(explain('Invalid values: Argument: what, Given: "x", Choices: "loss"', 'bench', 'x')).toBe('what: "x" is none of "loss" (see failmask bench --help)');
  expect(explain('Not enough non-option arguments: got 1, need at least 2', 'send', 'h:1')).toBe('missing: file (see failmask send --help)');
});

test('what is not known here is passed on, in one line', () => {
  expect(explain('Something\n  new', 'send')).toBe('Something new (see failmask send --help)');
});

test('a command of a command is named with those above it', () => {
  expect(explain('Did you mean kill?', 'group', '--json', 'kil', 'm1')).toBe('no command "kil": did you mean kill? (see failmask group --help)');
  expect(explain('Did you mean send?', 'sen')).toBe('no command "sen": did you mean send? (see failmask --help)');
  expect(explain('Not enough non-option arguments: got 0, need at least 1', 'group', 'kill')).toBe('missing: members (see failmask group kill --help)');
  expect(explain('Unknown argument: lose', 'group', 'send', '--lose')).toBe('not understood: --lose (see failmask group send --help)');
  expect(explain('Unknown argument: lose', 'send', '--lose')).toBe('not understood: --lose (see failmask send --help)');
});
