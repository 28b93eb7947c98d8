import { readFileSync } from 'node:fs';
import type { Argv, CommandModule, Options } from 'yargs';

import { readClause } from '../link/profile.ts';
import type { ProfileKeyword } from '../link/profile.ts';
import { parseScript } from '../link/script.ts';
import type { ScriptLine } from '../link/script.ts';
import { duration, flagValue, hostPort, port, seed, whole } from './flags.ts';
import type { HostPort } from './flags.ts';

const MAX_CLIENTS = 10_000;

/** The flags that hold a clause of a profile, with their help. Each exists for both ways, and hidden as --up-… and --down-…. */
export const CLAUSE_FLAGS: readonly (readonly [ProfileKeyword, string])[] = [
  ['loss', 'lose datagrams: 20% | 20% CORRELATION | "gemodel P R [1-H [1-K]]" for bursts'],
  ['delay', 'hold datagrams: 20ms | "20ms JITTER [CORRELATION] [distribution normal]"'],
  ['duplicate', 'send datagrams twice: 5%'],
  ['reorder', 'let datagrams overtake the delay: 25% | "25% CORRELATION gap 5"'],
  ['corrupt', 'flip one bit: 2%'],
  ['rate', 'speed of the line: 50mbit'],
  ['limit', 'datagrams held at most: 1000'],
  ['drop-nth', 'drop exactly these datagrams, from 1: 2,5,7'],
  ['mtu', 'drop larger datagrams (bytes of UDP payload): 1200'],
];

export interface ProxyArgs {
  listen: number;
  upstream: HostPort;
  host: string;
  seed: number | undefined;
  script: readonly ScriptLine[] | undefined;
  'idle-timeout': number | undefined;
  'max-clients': number | undefined;
  pcap: string | undefined;
  json: boolean;
  quiet: boolean;
}

function clauseOptions(prefix: '' | 'up-' | 'down-', hidden: boolean): Record<string, Options> {
  const options: Record<string, Options> = {};
  for (const [keyword, describe] of CLAUSE_FLAGS) {
    const name = `${prefix}${keyword}`;
    options[name] = {
      type: 'string', describe, hidden, requiresArg: true, group: 'The network, both ways:',
      coerce: flagValue(`--${name}`, (text) => readClause(keyword, text)),
    };
  }
  options[`${prefix}blackhole`] = { type: 'boolean', describe: 'drop everything', hidden, group: 'The network, both ways:' };
  return options;
}

/** A timeline as text, or as @FILE. Throws Error with one line. */
function readScript(text: string): readonly ScriptLine[] {
  return parseScript(text.startsWith('@') ? readFileSync(text.slice(1), 'utf8') : text);
}

function build(yargs: Argv): Argv<ProxyArgs> {
  return yargs
    .options({
      listen: { alias: 'l', type: 'string', demandOption: true, requiresArg: true, describe: 'UDP port to listen on; 0 lets the system choose', coerce: port('--listen') },
      upstream: { alias: 'u', type: 'string', demandOption: true, requiresArg: true, describe: 'HOST:PORT to forward to', coerce: hostPort('--upstream') },
      host: { alias: 'H', type: 'string', default: '127.0.0.1', requiresArg: true, describe: 'address to listen on', coerce: flagValue('--host', (text) => text) },
      seed: { type: 'string', requiresArg: true, describe: 'makes chance repeatable; drawn and printed if not given', coerce: seed('--seed') },
      script: {
        type: 'string', requiresArg: true, describe: 'a timeline, or @FILE with one: "at 3s blackhole; at 5s heal; at 8s up loss 30%; at 9s reset"',
        coerce: flagValue('--script', readScript),
      },
      'idle-timeout': { type: 'string', requiresArg: true, describe: 'forget a client after this silence (default 180s)', coerce: duration('--idle-timeout', 1) },
      'max-clients': { type: 'string', requiresArg: true, describe: 'clients at a time (default 1024)', coerce: whole('--max-clients', 'number of clients', 1, MAX_CLIENTS) },
      pcap: { type: 'string', requiresArg: true, describe: 'write what arrives at the proxy, with its fate, for Wireshark', coerce: flagValue('--pcap', (text) => text) },
    })
    .options({ ...clauseOptions('', false), ...clauseOptions('up-', true), ...clauseOptions('down-', true) })
    .example('$0 proxy -l 9001 -u 127.0.0.1:9000 --loss 20%', 'one datagram in five is lost, each way')
    .example('$0 proxy -l 9001 -u 127.0.0.1:9000 --delay "20ms 10ms" --down-loss "gemodel 1% 25%"', 'jitter, and bursts of loss on the way back')
    .example('$0 proxy -l 9001 -u 127.0.0.1:9000 --script "at 3s blackhole; at 5s heal"', 'an outage of two seconds')
    .epilogue(
      'Words and units are those of tc-netem. Every flag of the network also exists one way: --up-loss (from client to upstream), ' +
        '--down-loss (back), --up-blackhole (a one-way partition), … . Ctrl-C ends with a summary.',
    ) as unknown as Argv<ProxyArgs>;
}

export const proxyCommand: CommandModule<object, ProxyArgs> = {
  command: 'proxy',
  describe: 'forwards UDP through a network that loses, delays, duplicates, reorders and corrupts',
  builder: build as (yargs: Argv<object>) => Argv<ProxyArgs>,
  async handler(args) {
    const { runProxy } = await import('./proxy-run.ts');
    await runProxy(args);
  },
};
