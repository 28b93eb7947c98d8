import type { Argv, CommandModule } from 'yargs';

import { parseLine, type Line } from '../../net/group-process.ts';
import type { ProcessKind } from '../../net/group-record.ts';
import { flagValue } from '../flags.ts';

export interface NodeArgs {
  kind: ProcessKind;
  spec: Line;
}

/** One process of a group, as `group up` starts it. Not for people: it is told what to do on its standard input. */
export const nodeCommand: CommandModule<object, NodeArgs> = {
  command: 'node',
  describe: false,
  builder: (yargs: Argv) =>
    yargs.options({
      kind: { choices: ['member', 'view-server', 'balancer'] as const, demandOption: true },
      spec: { type: 'string', demandOption: true, coerce: flagValue('--spec', parseSpec) },
    }) as unknown as Argv<NodeArgs>,
  async handler({ kind, spec }) {
    const { runMember, runBalancer } = await import('./node-run.ts');
    await (kind === 'balancer' ? runBalancer(spec) : runMember(kind, spec));
  },
};

function parseSpec(text: string): Line {
  const spec = parseLine(text);
  if (spec === undefined) throw new Error('is not a JSON object');
  return spec;
}
