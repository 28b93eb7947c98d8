import { benchCommand } from './bench.ts';
import { demoCommand } from './demo.ts';
import { groupCommand } from './group/group.ts';
import { labCommand } from './lab/lab.ts';
import { kvCommand } from './kv/kv.ts';
import type { Command } from './program.ts';
import { proxyCommand } from './proxy.ts';
import { recvCommand } from './recv.ts';
import { sendCommand } from './send.ts';
import { simCommand } from './sim.ts';

/**
 * Every command of `failmask`, in the order of --help. A command's module is small and imports its work inside the handler, so that --help,
 * completion and a wrong flag answer at once.
 */
export const commands: readonly Command[] = [recvCommand, sendCommand, proxyCommand, demoCommand, groupCommand, kvCommand, labCommand, benchCommand, simCommand];
