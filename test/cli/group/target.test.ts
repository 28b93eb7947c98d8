import { expect, test } from 'vitest';

import { UsageError } from '../../../src/cli/exit.ts';
import { findTarget, type TargetArgs } from '../../../src/cli/group/target.ts';

const ARGS: TargetArgs = { control: { host: '127.0.0.1', port: 1 }, to: [{ host: '127.0.0.1', port: 7001 }], mode: undefined, members: undefined, cluster: undefined, timeout: 1000 };

test.each(['active', 'sequencer', 'quorum'] as const)('in mode %s, one place to ask is not taken for a group of one, whose answer would be believed', async (mode) => {
  await expect(findTarget({ ...ARGS, mode }, 'kv')).rejects.toThrow(UsageError);
  await expect(findTarget({ ...ARGS, mode }, 'kv')).rejects.toThrow(/--members/);
  expect(await findTarget({ ...ARGS, mode, members: 5 }, 'kv')).toMatchObject({ mode, members: 5 });
});

test('where one answer is enough, nobody has to count members', async () => {
  expect(await findTarget({ ...ARGS, mode: 'raft' }, 'kv')).toMatchObject({ mode: 'raft', targets: ARGS.to });
});

test('what one answer is worth is never guessed: places to ask come with a mode', async () => {
  await expect(findTarget({ ...ARGS, members: 5 }, 'kv')).rejects.toThrow(/--mode/);
});
