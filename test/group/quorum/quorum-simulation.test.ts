import { describe, expect, it } from 'vitest';

import { decodeText } from '../../../src/group/byte-codec.ts';
import { QuorumWorld, text } from './quorum-world.ts';
import { isLinearizable, type RegisterOperation } from './register-history.ts';

const KEYS = ['a', 'b', 'c', 'd', 'e', 'f'];

interface Run {
  readonly histories: Map<string, RegisterOperation[]>;
  readonly answered: number;
  readonly lastAnswered: boolean;
}

type Fault = 'crash' | 'isolate' | 'forget';

/** Clients that get and put while members crash, are cut off, or lose their disks, never more than `maxFaulty` at a time; then everything heals. */
function simulate(seed: number, seats: number, faults: readonly Fault[], quorums: { readQuorum?: number; writeQuorum?: number } = {}): Run {
  const world = new QuorumWorld(seats, seed, 512);
  const draw = world.random.fork('faults');
  world.chances = { loss: draw.unit() * 0.2, duplication: draw.unit() * 0.2, maxDelayMs: 5 + draw.unit() * 40 };
  const histories = new Map<string, RegisterOperation[]>(KEYS.map((key) => [key, []]));
  let answered = 0;
  const clients = [0, 1, 2].map(() => world.addClient({ deadlineMs: 1500, retryMs: 60, ...quorums }));
  const open = new Map<string, { key: string; kind: 'get' | 'put'; value: string | undefined; invoke: number }>();
  let number = 0;
  const begin = (client: number): void => {
    const key = KEYS[draw.below(KEYS.length)]!;
    if (histories.get(key)!.length >= 20) return;
    const kind = draw.chance(0.5) ? 'get' : 'put';
    const value = kind === 'put' ? `v${++number}` : undefined;
    const ticket = world.clients[client]!.submit(text(kind === 'get' ? `get ${key}` : `put ${key} ${value}`), world.now);
    open.set(`${client} ${ticket}`, { key, kind, value, invoke: world.now });
  };
  world.onOutcome = (client, outcome) => {
    const operation = open.get(`${client} ${outcome.ticket}`)!;
    open.delete(`${client} ${outcome.ticket}`);
    const { key, kind, invoke } = operation;
    if (outcome.kind === 'answered') {
      answered++;
      const { reply } = outcome;
      const value = kind === 'put' ? operation.value : reply.offset === 0 ? undefined : decodeText(reply.body);
      histories.get(key)!.push({ kind, value, invoke, complete: world.now });
    } else if (outcome.outcome === 'unknown') {
      histories.get(key)!.push({ kind, value: operation.value, invoke, complete: Infinity });
    }
    world.at(world.now + draw.unit() * 20, () => begin(client));
  };
  // Two at a time, also of one client.
  for (const client of [...clients, ...clients]) begin(client);
  const faulty = new Set<number>();
  const maxFaulty = Math.floor((seats - 1) / 2);
  const hurt = (): void => {
    const seat = draw.below(seats);
    const isForgetting = world.replicas.some((replica) => replica?.status().problem !== undefined);
    if (faulty.size < maxFaulty && !faulty.has(seat) && !isForgetting) {
      faulty.add(seat);
      const fault = faults[draw.below(faults.length)]!;
      if (fault === 'isolate') world.isolated.add(seat);
      else world.crash(seat);
      world.at(world.now + draw.unit() * 400, () => {
        if (fault === 'isolate') world.isolated.delete(seat);
        else if (fault === 'crash') world.restart(seat);
        else world.restartEmpty(seat, `m${seat}.${world.now.toFixed(0)}`);
        faulty.delete(seat);
      });
    }
    if (world.now < 6000) world.at(world.now + draw.unit() * 300, hurt);
  };
  if (faults.length > 0) world.at(50, hurt);
  world.run(8000);
  world.chances = { loss: 0, duplication: 0, maxDelayMs: 1 };
  world.onOutcome = () => {};
  world.run(3000);
  for (const { key, kind, value, invoke } of open.values()) histories.get(key)!.push({ kind, value, invoke, complete: Infinity });
  const last = world.ask(0, 'get a');
  return { histories, answered, lastAnswered: last.kind === 'answered' };
}

function badKeys({ histories }: Run): string[] {
  return [...histories].filter(([, operations]) => !isLinearizable(operations)).map(([key]) => key);
}

describe('the quorum register under faults', () => {
  it.each([[3, ['crash', 'isolate']], [5, ['crash', 'isolate']], [3, ['forget']], [5, ['crash', 'isolate', 'forget']]] as [number, Fault[]][])(
    '%i members, %j: linearizable for every seed, and it goes on afterwards',
    (seats, faults) => {
      let answered = 0;
      for (let seed = 1; seed <= 25; seed++) {
        const run = simulate(seed, seats, faults);
        expect(badKeys(run), `seed ${seed}`).toEqual([]);
        expect(run.lastAnswered, `seed ${seed}`).toBe(true);
        answered += run.answered;
      }
      expect(answered).toBeGreaterThan(25 * 60);
    },
  );

  it('with R + W ≤ N it is no register: some seed shows it without any crash', () => {
    const bad = Array.from({ length: 10 }, (_, i) => simulate(i + 1, 3, [], { readQuorum: 1, writeQuorum: 1 })).filter((run) => badKeys(run).length > 0);
    expect(bad.length).toBeGreaterThan(0);
  });

  it('the same seed is the same run', () => {
    expect([...simulate(7, 5, ['crash', 'forget']).histories]).toEqual([...simulate(7, 5, ['crash', 'forget']).histories]);
  });
});

describe('the checker of this suite', () => {
  const put = (value: string, invoke: number, complete: number): RegisterOperation => ({ kind: 'put', value, invoke, complete });
  const get = (value: string | undefined, invoke: number, complete: number): RegisterOperation => ({ kind: 'get', value, invoke, complete });

  it('accepts what a register could do and refuses what it could not', () => {
    expect(isLinearizable([put('1', 0, 10), get(undefined, 1, 2), get('1', 3, 4)])).toBe(true);
    expect(isLinearizable([put('1', 0, 10), get('1', 1, 2), get(undefined, 3, 4)])).toBe(false);
    expect(isLinearizable([put('1', 0, 1), put('2', 2, Infinity), get('1', 3, 4), get('2', 5, 6)])).toBe(true);
    expect(isLinearizable([put('1', 0, 1), get(undefined, 2, 3)])).toBe(false);
  });
});
