import type { Millis } from '../core/machine.ts';
import type { Random } from '../core/random.ts';
import type { KeepAlive } from '../tcp/config.ts';
import type { ClientSpec, Fault } from './scenario.ts';

/** A kind of world: what goes wrong there beside the links, and the timeouts that fit to it. */
export interface Theme {
  readonly name: string;
  /** How often it is drawn, relative to the others. */
  readonly weight: number;
  /**
   * Where timeouts are short, loss must be rare, or it would be an outage by itself: a connection gives up after some
   * five silent transmissions in 5 s.
   */
  readonly maxLoss: number;
  readonly userTimeoutMs: Millis;
  readonly connectTimeoutMs: Millis;
  /** Options may be stripped from the SYNs. */
  readonly mayStrip: boolean;
  /** Hosts may begin near the end of sequence space. Not where one incarnation follows another: they need different numbers. */
  readonly mayFixSequence: boolean;
  readonly attempts: number;
  /** Between the last byte written and the FIN. */
  readonly holdMs: Millis;
  readonly keepAlive: KeepAlive | undefined;
  readonly keepAliveProbability: number;
}

const ORDINARY: Theme = {
  name: 'ordinary', weight: 24, maxLoss: 0.4, userTimeoutMs: 60_000, connectTimeoutMs: 60_000, mayStrip: true, mayFixSequence: true,
  attempts: 1, holdMs: 0, keepAlive: undefined, keepAliveProbability: 0,
};
const SHORT_TIMEOUTS: Theme = { ...ORDINARY, maxLoss: 0.02, userTimeoutMs: 5000, connectTimeoutMs: 8000 };
const KEEP_ALIVE: KeepAlive = { idleMs: 3000, intervalMs: 1000, count: 5 };

export const THEMES: readonly Theme[] = [
  ORDINARY,
  { ...ORDINARY, name: 'masked outage', weight: 14 },
  { ...ORDINARY, name: 'delay step', weight: 10, maxLoss: 0.05 },
  { ...SHORT_TIMEOUTS, name: 'outage', weight: 6 },
  { ...SHORT_TIMEOUTS, name: 'crash', weight: 6 },
  { ...SHORT_TIMEOUTS, name: 'restart', weight: 8, mayFixSequence: false, mayStrip: false, attempts: 2 },
  { ...SHORT_TIMEOUTS, name: 'refused', weight: 2 },
  { ...SHORT_TIMEOUTS, name: 'unreachable', weight: 2 },
  { ...SHORT_TIMEOUTS, name: 'crash while idle', weight: 5, holdMs: 20_000, keepAlive: KEEP_ALIVE, keepAliveProbability: 0.5 },
  { ...ORDINARY, name: 'abort', weight: 3 },
  { ...SHORT_TIMEOUTS, name: 'stall', weight: 6 },
  { ...ORDINARY, name: 'backlog', weight: 2, maxLoss: 0.1 },
  { ...ORDINARY, name: 'reconnect', weight: 5, maxLoss: 0.1, mayStrip: false, mayFixSequence: false, attempts: 3 },
  { ...ORDINARY, name: 'both open', weight: 4 },
  { ...ORDINARY, name: 'both close', weight: 3, maxLoss: 0.1, holdMs: 5000 },
];

/** When faults begin: in most worlds the transfer takes some tens to some thousands of milliseconds. */
function drawTime(random: Random): Millis {
  return 20 * Math.pow(100, random.unit());
}

const DIRECTIONS = ['up', 'down', 'both', 'both'] as const;

/** The script of a world. One outage at most, which is clearly shorter or clearly longer than the timeouts. */
export function drawFaults(random: Random, theme: Theme, clients: readonly ClientSpec[]): Fault[] {
  const client = random.below(clients.length);
  const host = random.chance(0.5) ? 'server' : client;
  const direction = DIRECTIONS[random.below(DIRECTIONS.length)]!;
  const atMs = drawTime(random);
  switch (theme.name) {
    case 'masked outage': {
      const forMs = random.chance(0.5) ? random.below(20_000) : random.below(1500);
      return random.chance(0.5) ? [{ kind: 'partition', atMs, forMs, client, direction }] : [{ kind: 'pause', atMs, forMs, host }];
    }
    case 'delay step': {
      // Long enough for retransmissions that were not needed: the ACK of the original comes late.
      const { delay } = clients[client]!.down;
      const change = { delay: { ...delay, delayMs: delay.delayMs + 100 + random.below(900) } };
      const back = { delay };
      return [
        { kind: 'profile', atMs, client, direction: 'down', change },
        { kind: 'profile', atMs: atMs + 200 + random.below(3000), client, direction: 'down', change: back },
      ];
    }
    case 'outage': {
      const forMs = theme.userTimeoutMs * (1.5 + random.unit());
      return random.chance(0.7) ? [{ kind: 'partition', atMs, forMs, client, direction }] : [{ kind: 'pause', atMs, forMs, host }];
    }
    case 'crash':
      return [{ kind: 'crash', atMs, host }];
    case 'restart':
      return [{ kind: 'crash', atMs, host, restartAfterMs: random.below(3000) }];
    case 'unreachable':
      return random.chance(0.5) ? [{ kind: 'crash', atMs: 0, host: 'server' }] : [{ kind: 'partition', atMs: 0, forMs: 30_000, client, direction }];
    case 'crash while idle':
      return [{ kind: 'crash', atMs: 15_000, host }];
    default:
      return [];
  }
}
