import { Balancer, type ToClient, type ToMember } from '../../../src/group/balancer/balancer.ts';
import type { BalancerOptions } from '../../../src/group/balancer/balancer-options.ts';
import { encodeText } from '../../../src/group/byte-codec.ts';
import type { ReplyMessage, Request } from '../../../src/group/message.ts';
import type { ReplicaStatus } from '../../../src/group/replica.ts';
import type { Status } from '../../../src/group/state-machine.ts';

const NOTHING = new Uint8Array(0);

export function request(serial: number, fields: Partial<Request> = {}): Request {
  return { kind: 'request', clientId: 'c', serial, acknowledged: 0, isStale: false, operation: Uint8Array.of(serial), ...fields };
}

export function statusOf(id: string, fields: Partial<ReplicaStatus> = {}): ReplicaStatus {
  return {
    id, mode: 'raft', role: 'follower', term: 1, leader: undefined, lastIndex: 5, commitIndex: 5, appliedIndex: 5, digest: 'abcdef0123456789',
    members: [], suspected: [], counters: {}, problem: undefined, ...fields,
  };
}

/** A balancer and members that answer what they are told to. Time passes in steps; each member answers its questions at once while it is `awake`. */
export class BalancerWorld {
  readonly balancer: Balancer;
  readonly statuses = new Map<string, ReplicaStatus>();
  readonly awake = new Set<string>();
  /** Requests that members got and tests have not looked at. */
  readonly arrived = new Map<string, Request[]>();
  now = 0;

  constructor(names: readonly string[], options: Partial<BalancerOptions> = {}) {
    this.balancer = new Balancer({ name: 'b', mode: 'raft', intervalMs: 100, ...options });
    for (const name of names) this.add(name);
    this.balancer.clientOpened(1);
    this.pump();
  }

  add(name: string): void {
    this.balancer.addTarget(name, `${name}:1`, this.now);
    this.join(name);
  }

  join(name: string): void {
    this.statuses.set(name, this.statuses.get(name) ?? statusOf(name));
    this.awake.add(name);
    this.arrived.set(name, []);
    this.balancer.connected(name, this.now);
  }

  /** Its connection breaks. */
  leave(name: string): void {
    this.awake.delete(name);
    this.balancer.disconnected(name, this.now);
    this.pump();
  }

  lead(name: string, term: number): void {
    for (const [other, status] of this.statuses) {
      const isIt = other === name;
      if (isIt || this.awake.has(other)) this.statuses.set(other, { ...status, term, role: isIt ? 'leader' : 'follower', leader: name });
    }
  }

  run(forMs: number): void {
    const until = this.now + forMs;
    this.pump();
    for (let turns = 0; this.balancer.nextTimeout() <= until; turns++) {
      if (turns > 10_000) throw new Error(`the balancer wants ${this.balancer.nextTimeout()} again and again at ${this.now}`);
      this.now = Math.max(this.now, this.balancer.nextTimeout());
      this.balancer.handleTimeout(this.now);
      this.pump();
    }
    this.now = until;
  }

  pump(): void {
    for (const name of this.balancer.targets) {
      if (!this.awake.has(name)) continue;
      for (let next: ToMember | undefined = this.balancer.takeForMember(name); next !== undefined; next = this.balancer.takeForMember(name)) {
        if (next.kind === 'request') this.arrived.get(name)!.push(next);
        else this.balancer.fromMember(name, { kind: 'status', json: JSON.stringify(this.statuses.get(name)) }, this.now);
      }
    }
  }

  ask(serial: number, fields: Partial<Request> = {}, client = 1): void {
    this.balancer.fromClient(client, request(serial, fields), this.now);
    this.pump();
  }

  reply(name: string, serial: number, status: Status = 'ok', body = '', clientId = 'c'): void {
    const message: ReplyMessage = {
      kind: 'reply', memberId: name, clientId, serial, reply: { status, offset: 0, digest: NOTHING, body: encodeText(body, 100) },
    };
    this.balancer.fromMember(name, message, this.now);
    this.pump();
  }

  /** Serials of the requests that the member got since the last call. */
  got(name: string): number[] {
    return this.arrived.get(name)!.splice(0).map(({ serial }) => serial);
  }

  /** What a client heard since the last call: member, serial, status. */
  heard(client = 1): string[] {
    const all: string[] = [];
    for (let next: ToClient | undefined = this.balancer.takeForClient(client); next !== undefined; next = this.balancer.takeForClient(client)) {
      all.push(next.kind === 'reply' ? `${next.memberId} ${next.serial} ${next.reply.status}` : next.json);
    }
    return all;
  }

  state(name: string): string | undefined {
    return this.balancer.report(this.now).members.find((member) => member.name === name)?.state;
  }
}
