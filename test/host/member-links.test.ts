import { describe, expect, it } from 'vitest';

import { makeAddress, type Address } from '../../src/core/address.ts';
import { createRandom } from '../../src/core/random.ts';
import { MemberNode } from '../../src/group/member-node.ts';
import { MemberHost } from '../../src/host/member-host.ts';
import { parseProfile } from '../../src/link/profile.ts';
import { Mesh, type Station } from '../../src/sim/mesh.ts';
import { Simulator } from '../../src/sim/simulator.ts';
import { Endpoint } from '../../src/tcp/endpoint.ts';
import { ScriptedReplica } from '../group/scripted-replica.ts';

interface Member {
  readonly station: Station;
  replica: ScriptedReplica;
  host: MemberHost;
}

/** Members on real transport and a simulated network; each wants to talk to all others. */
class World {
  readonly simulator = new Simulator();
  readonly mesh: Mesh;
  readonly members: Member[] = [];
  readonly #addresses = new Map<string, Address>();

  constructor(count: number, network: string) {
    this.mesh = new Mesh(this.simulator, createRandom(1), parseProfile(network));
    for (let i = 0; i < count; i++) {
      const address = makeAddress(`10.0.0.${i + 1}`, 1);
      this.#addresses.set(`${i}`, address);
      this.members.push({ station: this.mesh.add(`m${i}`, address), ...this.#make(i, `m${i}`, count) });
      this.#start(i);
    }
  }

  restart(i: number, id: string): void {
    Object.assign(this.members[i]!, this.#make(i, id, this.members.length));
    this.#start(i);
  }

  say(from: number, to: string, text: string): void {
    this.members[from]!.replica.say(to, text);
    this.members[from]!.host.changed();
  }

  run(forMs: number): void {
    this.mesh.run(this.simulator.now + forMs);
  }

  heard(i: number): string[] {
    return this.members[i]!.replica.heard;
  }

  #start(i: number): void {
    this.members[i]!.station.start(this.members[i]!.host);
  }

  #make(i: number, id: string, count: number): { replica: ScriptedReplica; host: MemberHost } {
    const replica = new ScriptedReplica(id);
    replica.wanted = Array.from({ length: count }, (_, j) => ({ id: `m${j}`, address: `${j}` })).filter((_, j) => j !== i);
    const endpoint = new Endpoint({ secret: new Uint8Array(32).fill(i + 10 * this.members.length), name: id });
    const node = new MemberNode({ replica, clusterId: 'c', memberId: id });
    return { replica, host: new MemberHost({ endpoint, node, replica, resolve: ({ address }) => this.#addresses.get(address) }) };
  }
}

describe('members on the transport', () => {
  it('find each other and talk, through loss, with one connection for two', () => {
    const world = new World(3, 'loss 10% delay 5ms 2ms');
    world.run(3000);
    for (const [from, to] of [[0, 1], [1, 0], [0, 2], [2, 0], [1, 2], [2, 1]] as const) world.say(from, `m${to}`, `from ${from}`);
    world.run(3000);
    expect(world.heard(0).sort()).toEqual(['m1: from 1', 'm2: from 2']);
    expect(world.heard(1).sort()).toEqual(['m0: from 0', 'm2: from 2']);
    expect(world.heard(2).sort()).toEqual(['m0: from 0', 'm1: from 1']);
    expect(world.members.map(({ host }) => host.connectionCount)).toEqual([2, 2, 2]);
  });

  it('a member that crashed and came back with its disk is found again', () => {
    const world = new World(2, 'delay 5ms');
    world.run(1000);
    world.members[1]!.station.crash();
    world.run(500);
    world.restart(1, 'm1');
    world.run(3000);
    expect(world.members[0]!.replica.lost).toEqual(['m1']);
    world.say(0, 'm1', 'again');
    world.say(1, 'm0', 'here');
    world.run(500);
    expect(world.heard(1)).toEqual(['m0: again']);
    expect(world.heard(0)).toEqual(['m1: here']);
  });

  it('what was said to a member does not reach another life of it', () => {
    const world = new World(2, 'delay 5ms');
    world.run(1000);
    world.members[1]!.station.crash();
    world.run(100);
    world.restart(1, 'm1-without-disk');
    for (let i = 0; i < 20; i++) {
      world.say(0, 'm1', `secret ${i}`);
      world.run(200);
    }
    expect(world.heard(1)).toEqual([]);
    expect(world.heard(0)).toEqual([]);
  });

  it('a partition that lasts is told as a loss, and healed by a new connection', () => {
    const world = new World(2, 'delay 5ms');
    world.run(1000);
    const [a, b] = world.members;
    world.mesh.cut(a!.station, b!.station, true);
    world.mesh.cut(b!.station, a!.station, true);
    world.say(0, 'm1', 'lost');
    world.run(10_000);
    expect([a!.replica.lost, b!.replica.lost]).toEqual([['m1'], ['m0']]);
    world.mesh.cut(a!.station, b!.station, false);
    world.mesh.cut(b!.station, a!.station, false);
    world.run(3000);
    world.say(0, 'm1', 'hello again');
    world.run(500);
    expect(world.heard(1)).toEqual(['m0: hello again']);
  });

  it('a pause shorter than the timeouts is not noticed', () => {
    const world = new World(2, 'delay 5ms');
    world.run(1000);
    world.members[1]!.station.isPaused = true;
    world.say(0, 'm1', 'wait');
    world.run(3000);
    world.members[1]!.station.isPaused = false;
    world.run(1000);
    expect(world.heard(1)).toEqual(['m0: wait']);
    expect(world.members[0]!.replica.lost).toEqual([]);
  });

  it('at rest, next to nothing is sent', () => {
    const world = new World(3, 'delay 5ms');
    world.run(3000);
    const sent = (): number => world.members.reduce((sum, { host }) => sum + host.endpoint.counters.datagramsSent, 0);
    const before = sent();
    world.run(60_000);
    // Keep-alive: a probe and its answer each 1.25 s, by both ends of three connections.
    expect(sent() - before).toBeLessThanOrEqual(3 * 2 * 2 * 49);
  });
});
