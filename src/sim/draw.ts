import { createRandom, type Random } from '../core/random.ts';
import type { LinkProfile } from '../link/profile.ts';
import type { TcpConfig } from '../tcp/config.ts';
import { drawFaults, THEMES, type Theme } from './draw-faults.ts';
import { drawProfile } from './draw-profile.ts';
import type { ApplicationSpec, Attempt, ClientSpec, HostSpec, Scenario, StrippedOption } from './scenario.ts';

/** Each way, over all connections of a world. */
const LEAST_BYTES = 256 * 1024;
const EXTRA_BYTES = 48 * 1024;
const DEADLINE_MS = 1_800_000;
const MTUS = [548, 1200, 1452, 1452, 1452, 9000, 65_507];
const BUFFERS = [4096, 16 * 1024, 64 * 1024, 256 * 1024, 1 << 20];
const SOCKET_BUFFERS = [16 * 1024, 208 * 1024, 4 << 20];

/** The world of a seed: the same seed, the same world, on every machine. */
export function drawScenario(seed: number): Scenario {
  const random = createRandom(seed).fork('scenario');
  const theme = drawTheme(random.fork('theme'));
  const isPlain = theme.mayStrip && random.chance(0.2);
  const clientCount = theme.name === 'backlog' ? 3 : random.chance(0.25) ? 2 : 1;
  const attemptCount = theme.attempts;
  const connections = clientCount * attemptCount;
  const integrity = isPlain ? 'both accept' : pick(random, ['both require', 'both require', 'client accepts', 'server accepts']);
  const hosts = { random, theme, isPlain };
  const clients: ClientSpec[] = [];
  for (let i = 0; i < clientCount; i++) {
    const own = random.fork(`client ${i}`);
    const spec = drawHost({ ...hosts, random: own }, integrity === 'both require' || integrity === 'server accepts' ? 'required' : 'accept');
    const profile = { theme, mayCorrupt: integrity === 'both require', isPlain };
    const up = drawProfile(own.fork('up'), profile);
    const isSymmetric = own.chance(0.5);
    clients.push({
      ...spec,
      up,
      down: isSymmetric ? up : drawProfile(own.fork('down'), profile),
      strips: isPlain ? drawStrips(own.fork('strips')) : [],
      splitProbability: drawSplits(own.fork('splits')),
      attempts: drawAttempts(own.fork('attempts'), theme, attemptCount, connections),
    });
  }
  const server = drawHost({ ...hosts, random: random.fork('server') }, integrity === 'both require' || integrity === 'client accepts' ? 'required' : 'accept');
  return {
    seed,
    theme: theme.name,
    server: {
      ...server,
      config: softenForLoss(server.config, clients),
      listens: theme.name !== 'refused',
      backlog: theme.name === 'backlog' ? 1 : 16,
      acceptsFromMs: theme.name === 'backlog' ? 3000 : 0,
    },
    clients: clients.map((client) => ({ ...client, config: softenForLoss(client.config, [client]) })),
    faults: drawFaults(random.fork('faults'), theme, clients),
    deadlineMs: DEADLINE_MS,
  };
}

function drawTheme(random: Random): Theme {
  const total = THEMES.reduce((sum, theme) => sum + theme.weight, 0);
  let at = random.unit() * total;
  for (const theme of THEMES) {
    at -= theme.weight;
    if (at < 0) return theme;
  }
  return THEMES[0]!;
}

interface HostDraw {
  readonly random: Random;
  readonly theme: Theme;
  readonly isPlain: boolean;
}

function drawHost({ random, theme }: HostDraw, integrity: TcpConfig['integrity']): HostSpec {
  const smallBuffers = theme.name === 'stall';
  const config: Partial<TcpConfig> = {
    integrity,
    mtuBytes: pick(random, MTUS),
    sendBufferBytes: pick(random, BUFFERS),
    receiveBufferBytes: smallBuffers ? pick(random, BUFFERS.slice(0, 3)) : pick(random, BUFFERS),
    congestion: random.chance(0.5) ? 'newreno' : random.chance(0.5) ? 'fixed' : `fixed:${4 + random.below(60)}`,
    userTimeoutMs: theme.userTimeoutMs,
    connectTimeoutMs: theme.connectTimeoutMs,
    delayedAckMs: pick(random, [0, 40, 40, 200]),
    noDelay: random.chance(0.3),
    ...(theme.keepAlive === undefined || !random.chance(theme.keepAliveProbability) ? {} : { keepAlive: theme.keepAlive }),
  };
  const nearWrap = theme.mayFixSequence && random.chance(0.3) ? (2 ** 32 - 1 - random.below(200_000)) >>> 0 : undefined;
  return {
    config,
    ...(nearWrap === undefined ? {} : { initialSequence: nearWrap }),
    wholeMillis: random.chance(0.5),
    socketBufferBytes: pick(random, SOCKET_BUFFERS),
  };
}

/** A window that shrinks with each loss never gets anywhere at these rates: what is tested there is the fixed one. */
function softenForLoss(config: Partial<TcpConfig>, clients: readonly ClientSpec[]): Partial<TcpConfig> {
  const worst = Math.max(...clients.flatMap(({ up, down }) => [lossOf(up), lossOf(down)]));
  return worst > 0.12 && config.congestion === 'newreno' ? { ...config, congestion: 'fixed' } : config;
}

/** Share of datagrams that do not arrive whole. */
function lossOf(profile: LinkProfile): number {
  const { loss, corrupt } = profile;
  const lost = loss.model === 'random' ? loss.probability : (loss.toBad * loss.lossInBad) / (loss.toBad + loss.toGood);
  return 1 - (1 - lost) * (1 - corrupt.probability);
}

function drawSplits(random: Random): number {
  return random.chance(0.15) ? 0.3 * random.unit() : 0;
}

function drawStrips(random: Random): StrippedOption[] {
  const strips: StrippedOption[] = [];
  if (random.chance(0.6)) strips.push('sack');
  if (random.chance(0.5)) strips.push('timestamps');
  if (random.chance(0.5)) strips.push('window-scale');
  if (random.chance(0.5)) strips.push('capability');
  if (random.chance(0.3)) strips.push('mss');
  return strips;
}

function drawAttempts(random: Random, theme: Theme, count: number, connections: number): Attempt[] {
  const attempts: Attempt[] = [];
  for (let i = 0; i < count; i++) {
    const own = random.fork(`attempt ${i}`);
    const firstCloses = own.below(3);
    const aborts = theme.name === 'abort' ? (own.fork('aborts').chance(0.5) ? 'client' : 'server') : undefined;
    attempts.push({
      delayMs: i === 0 ? own.below(20) : own.chance(0.7) ? 0 : own.below(1500),
      simultaneous: theme.name === 'both open',
      client: drawApplication(own.fork('client'), theme, connections, firstCloses !== 0, true, aborts === 'client'),
      server: drawApplication(own.fork('server'), theme, connections, firstCloses !== 1, false, aborts === 'server'),
    });
  }
  return attempts;
}

/** At least one side has to close first, or both would wait. */
function drawApplication(random: Random, theme: Theme, connections: number, closesFirst: boolean, isClient: boolean, aborts: boolean): ApplicationSpec {
  const writeBytes = Math.ceil((LEAST_BYTES + random.below(EXTRA_BYTES)) / connections);
  const isSlow = random.chance(0.15);
  const stalls = theme.name === 'stall' && (isClient || random.chance(0.5));
  return {
    writeBytes,
    maxChunkBytes: pick(random, [500, 4000, 20_000, 100_000]),
    writePauseMs: random.chance(0.1) ? random.below(4) : 0,
    readPauseMs: isSlow ? 1 + random.below(15) : 0,
    ...(stalls ? { stall: { afterBytes: random.below(writeBytes / 2), forMs: theme.userTimeoutMs * (1.2 + random.unit()) } } : {}),
    closes: closesFirst ? 'when-written' : 'when-peer-has',
    holdMs: theme.holdMs,
    ...(aborts ? { abortAfterBytes: 1 + random.below(writeBytes) } : {}),
  };
}

export function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[random.below(choices.length)]!;
}
