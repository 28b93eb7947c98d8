import { spellProbability } from '../../core/units.ts';

/** The commands of the demonstration: the same words are run, with ports of the system's choice, and printed to be repeated by hand. */

export interface Network {
  readonly seed?: number;
  readonly loss?: number;
  readonly delay?: string;
  readonly duplicate?: string;
  readonly reorder?: string;
  readonly corrupt?: string;
  readonly rate?: string;
}

export function recvCommandLine(port: number, output: string): string[] {
  return ['recv', '-p', String(port), '-o', output];
}

export function memberCommandLine(port: number, output: string): string[] {
  return ['group', 'member', '-p', String(port), '-o', output];
}

export function proxyCommandLine(port: number, upstreamPort: number, network: Network): string[] {
  const { seed, loss, delay, duplicate, reorder, corrupt, rate } = network;
  const flags: [string, string | undefined][] = [
    ['--seed', seed === undefined ? undefined : String(seed)], ['--loss', loss === undefined ? undefined : spellProbability(loss)], ['--delay', delay],
    ['--duplicate', duplicate], ['--reorder', reorder], ['--corrupt', corrupt], ['--rate', rate],
  ];
  return ['proxy', '-l', String(port), '-u', `127.0.0.1:${upstreamPort}`, ...flags.flatMap(([flag, value]) => (value === undefined ? [] : [flag, value]))];
}

export function sendCommandLine(ports: readonly number[], file: string, userTimeout: string, congestion: string): string[] {
  return ['send', '-C', congestion, '--user-timeout', userTimeout, ports.map((port) => `127.0.0.1:${port}`).join(','), file];
}

/** As typed into a shell. */
export function shellLine(args: readonly string[]): string {
  return ['failmask', ...args].map((arg) => (/^[A-Za-z0-9_./:,%=-]+$/.test(arg) ? arg : `'${arg.replace(/'/g, `'\\''`)}'`)).join(' ');
}
