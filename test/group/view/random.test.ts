import { describe, expect, it } from 'vitest';

import { createRandom, type Random } from '../../../src/core/random.ts';
import type { ViewMode } from '../../../src/group/view/view-replica.ts';
import { Cluster } from './cluster.ts';

const MODES: readonly ViewMode[] = ['primary-backup', 'sequencer', 'active'];
const SEEDS = Array.from({ length: 30 }, (_, i) => i + 1);
const FAULTY_MS = 12_000;
const TICK_MS = 80;

interface Client {
  readonly id: string;
  serial: number;
}

/** Clients that repeat each request until it is answered, and what they were told. */
class Load {
  readonly clients: Client[] = [];
  /** Operations of which at least one member said that they are done, in the order in which the first said so. */
  readonly answered: string[] = [];
  readonly wrong: string[] = [];
  readonly #cluster: Cluster;
  /** By serial: how many operations were answered before the read was asked. */
  readonly #reads = new Map<number, number>();
  #read = 0;
  #seen = 0;

  constructor(cluster: Cluster, clients: number) {
    this.#cluster = cluster;
    for (let i = 0; i < clients; i++) this.clients.push({ id: cluster.open(), serial: 1 });
    this.#seen = cluster.replies.length;
  }

  tick(random: Random): void {
    for (const { id, serial } of this.clients) {
      if (random.chance(0.7)) this.#cluster.ask({ clientId: id, serial, acknowledged: serial - 1, text: `+${textOf(id, serial)}` });
    }
    this.#reads.set(++this.#read, this.answered.length);
    // Also at members that think they lead, and are mistaken.
    for (const [id, { isPaused }] of this.#cluster.nodes) if (!isPaused) this.#cluster.propose(id, { clientId: 'reader', serial: this.#read, text: '?' });
  }

  heed(): void {
    for (; this.#seen < this.#cluster.replies.length; this.#seen++) {
      const { memberId, clientId, serial, reply } = this.#cluster.replies[this.#seen]!;
      if (clientId === 'reader') {
        if (reply.status !== 'ok') continue;
        const items = new Set(new TextDecoder().decode(reply.body).split(','));
        const missing = this.answered.slice(0, this.#reads.get(serial)).filter((text) => !items.has(text));
        if (missing.length > 0) this.wrong.push(`${memberId} reads without ${missing.join()}`);
        continue;
      }
      const client = this.clients.find(({ id }) => id === clientId);
      if (client === undefined || serial !== client.serial) continue;
      if (reply.status === 'expired') this.wrong.push(`${memberId} has forgotten ${textOf(clientId, serial)}`);
      if (reply.status !== 'ok') continue;
      this.answered.push(textOf(clientId, serial));
      client.serial++;
    }
  }
}

function textOf(clientId: string, serial: number): string {
  return `${clientId}.${serial}`;
}

/** Loses, doubles, delays, cuts off, stops, and kills, all of them at a time if it comes so. */
function torment(cluster: Cluster, load: Load, random: Random): void {
  const lossShare = random.unit() * 0.25;
  const doubleShare = random.unit() * 0.2;
  const cut = new Set<string>();
  cluster.fate = ({ from, to }) => (cut.has(`${from} ${to}`) || random.chance(lossShare) ? 0 : random.chance(doubleShare) ? 2 : 1);
  const places = [...cluster.nodes.keys(), 'v1'];
  const ids = [...cluster.nodes.keys()];
  for (const end = cluster.now + FAULTY_MS; cluster.now < end;) {
    load.tick(random);
    cluster.run(TICK_MS, () => (load.heed(), false));
    if (!random.chance(0.12)) continue;
    const id = ids[random.below(ids.length)]!;
    const node = cluster.node(id);
    switch (random.below(5)) {
      case 0:
        cluster.crash(id);
        break;
      case 1:
        if (node.replica === undefined) cluster.start(id);
        break;
      case 2:
        if (node.replica !== undefined) node.isPaused = !node.isPaused;
        break;
      case 3: {
        const [a, b] = [places[random.below(places.length)]!, places[random.below(places.length)]!];
        cut.add(`${a} ${b}`);
        if (random.chance(0.5)) cut.add(`${b} ${a}`);
        break;
      }
      default:
        cut.clear();
    }
  }
  cluster.fate = () => 1;
  for (const id of random.chance(0.5) ? ids : [...ids].reverse()) {
    cluster.node(id).isPaused = false;
    if (cluster.node(id).replica === undefined) cluster.start(id);
    if (random.chance(0.5)) cluster.run(random.below(1500), () => (load.heed(), false));
  }
}

/** Whoever applied a place of the order applied the same, whenever it was. */
function applied(cluster: Cluster): string[] {
  const digests = new Map<unknown, unknown>();
  const wrong: string[] = [];
  for (const { at, event } of cluster.events) {
    if (event.type !== 'apply') continue;
    const { index, digest, member } = event as { index?: unknown; digest?: unknown; member?: unknown };
    if ((digests.get(index) ?? digest) !== digest) wrong.push(`at ${at} ${String(member)} applies something else at ${String(index)}`);
    digests.set(index, digest);
  }
  return wrong;
}

describe.each(MODES)('%s under everything at once', (mode) => {
  it.each(SEEDS)('seed %i: all apply the same, nothing that was answered is lost or done twice, no read is old, and it goes on afterwards', (seed) => {
    const random = createRandom(1000 + seed);
    const size = 2 + random.below(4);
    const meanMs = 2 + random.below(20);
    const config = random.chance(0.5) ? { snapshotBytes: 1500, keptEntries: random.below(20) } : {};
    const cluster = new Cluster({ mode, size, seed, joiners: random.below(2), config, delayMs: (own) => own.exponential(meanMs) });
    const load = new Load(cluster, 3);
    torment(cluster, load, random);
    cluster.settle();
    const goals = load.clients.map(({ serial }) => serial + 3);
    for (const end = cluster.now + 20_000; cluster.now < end && load.clients.some(({ serial }, i) => serial < goals[i]!);) {
      load.tick(random);
      cluster.run(TICK_MS, () => (load.heed(), false));
    }
    expect(load.clients.every(({ serial }, i) => serial >= goals[i]!)).toBe(true);
    cluster.settle();
    cluster.run(3000);
    load.heed();
    expect(load.wrong).toEqual([]);
    expect(applied(cluster)).toEqual([]);
    const lists = [...cluster.nodes.values()].map(({ machine }) => machine.items);
    for (const items of lists) expect(items).toEqual(lists[0]);
    const items = lists[0]!;
    expect(new Set(items).size).toBe(items.length);
    expect(load.answered.filter((text) => !items.includes(text))).toEqual([]);
  });
});

describe('without a fence', () => {
  it.each(SEEDS.slice(0, 10).flatMap((seed) => MODES.map((mode) => [mode, seed] as const)))('%s, seed %i: whatever goes wrong, one view of all comes about again, and answers', (mode, seed) => {
    const random = createRandom(2000 + seed);
    const cluster = new Cluster({ mode, size: 2 + random.below(4), seed, fence: 'none', delayMs: (own) => own.exponential(8) });
    const load = new Load(cluster, 2);
    torment(cluster, load, random);
    cluster.settle();
    cluster.run(3000);
    const client = cluster.open();
    cluster.call({ clientId: client, serial: 1, text: '+after' });
    cluster.run(3000);
    // One side's past is gone; there is only one, at least.
    expect(new Set([...cluster.nodes.values()].map(({ machine }) => machine.items.join())).size).toBe(1);
  });
});
