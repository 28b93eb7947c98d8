import { createHash } from 'node:crypto';

import { makeAddress, type Address } from '../../src/core/address.ts';
import { TimeHeap } from '../../src/core/heap.ts';
import type { Machine, Millis } from '../../src/core/machine.ts';
import { createRandom, type Random } from '../../src/core/random.ts';
import type { FileGroupOptions } from '../../src/group/file-group.ts';
import { FileSink, FINAL_FILE } from '../../src/group/file-sink.ts';
import { MemberNode } from '../../src/group/member-node.ts';
import type { GroupOutcome } from '../../src/group/outcome.ts';
import { WriteAllReplica } from '../../src/group/write-all.ts';
import { MemberHost } from '../../src/host/member-host.ts';
import { SenderHost } from '../../src/host/sender-host.ts';
import { Link } from '../../src/link/link.ts';
import { parseProfile } from '../../src/link/profile.ts';
import { SimulatedDisk } from '../../src/sim/simulated-disk.ts';
import type { TcpConfig } from '../../src/tcp/config.ts';
import { Endpoint } from '../../src/tcp/endpoint.ts';

export interface GroupWorldOptions {
  readonly seed: number;
  readonly members: number;
  readonly bytes: number;
  /** In the words of tc-netem, each way. */
  readonly network?: string;
  readonly config?: Partial<TcpConfig>;
  readonly group?: Partial<Omit<FileGroupOptions, 'members'>>;
  /** Longest time of one disk operation. */
  readonly diskMs?: Millis;
}

export class MemberProcess {
  readonly address: Address;
  host: MemberHost | undefined;
  disk: SimulatedDisk;
  isPaused = false;
  /** Datagrams that wait while it is paused. */
  readonly waiting: { from: Address; bytes: Uint8Array }[] = [];
  life = 0;

  constructor(address: Address, disk: SimulatedDisk) {
    this.address = address;
    this.disk = disk;
  }

  /** Digest of the finished file; undefined when there is none that would survive a power failure. */
  sha256(): string | undefined {
    const content = this.disk.read(FINAL_FILE);
    return content === undefined || !this.disk.isDurable(FINAL_FILE) ? undefined : createHash('sha256').update(content).digest('hex');
  }
}

/** A sender, k+1 members and the links between them, in virtual time. */
export class GroupWorld {
  now: Millis = 0;
  readonly source: Uint8Array;
  readonly members: MemberProcess[] = [];
  readonly sender: SenderHost;
  readonly #options: GroupWorldOptions;
  readonly #random: Random;
  readonly #senderAddress = makeAddress('10.0.0.1', 1);
  readonly #actions = new TimeHeap<() => void>();
  /** Between the sender and each member, there and back. */
  readonly #links: { up: Link<undefined>; down: Link<undefined> }[] = [];

  constructor(options: GroupWorldOptions) {
    this.#options = options;
    this.#random = createRandom(options.seed);
    const content = this.#random.fork('content');
    this.source = new Uint8Array(options.bytes).map(() => content.below(256));
    const profile = parseProfile(options.network ?? 'delay 5ms 2ms');
    for (let i = 0; i < options.members; i++) {
      const member = new MemberProcess(makeAddress(`10.0.1.${i + 1}`, 1), this.#newDisk(i, 0));
      this.members.push(member);
      this.start(i);
      this.#links.push({ up: new Link(profile, this.#random.fork(`up${i}`)), down: new Link(profile, this.#random.fork(`down${i}`)) });
    }
    this.sender = new SenderHost(
      new Endpoint({ secret: new Uint8Array(32), name: 'sender' }),
      {
        members: this.members.map(({ address }) => address),
        source: this.source,
        clientId: `client-${options.seed}`,
        windowBytes: 64 * 1024,
        config: options.config ?? {},
        ...options.group,
      },
      this.now,
    );
  }

  get sha256(): string {
    return createHash('sha256').update(this.source).digest('hex');
  }

  at(time: Millis, action: () => void): void {
    this.#actions.push(time, action);
  }

  /** SIGKILL: silence. */
  crash(i: number): void {
    const member = this.members[i]!;
    member.host = undefined;
    member.life++;
    member.waiting.length = 0;
  }

  /** Starts a member without memory: no connections and an empty disk. */
  start(i: number): void {
    const member = this.members[i]!;
    member.life++;
    member.disk = this.#newDisk(i, member.life);
    const sink = new FileSink({ readContent: (_files, offset, length) => member.disk.read('part')!.subarray(offset, offset + length) });
    const replica = new WriteAllReplica(`member-${i}-${member.life}`, sink);
    const node = new MemberNode({ replica, clusterId: 'failmask', memberId: `member-${i}-${member.life}` });
    const endpoint = new Endpoint({ secret: new Uint8Array(32).fill(member.life), config: { ...this.#options.config }, name: `member${i}` });
    member.host = new MemberHost({ endpoint, node, replica });
  }

  pause(i: number): void {
    this.members[i]!.isPaused = true;
  }

  resume(i: number): void {
    const member = this.members[i]!;
    member.isPaused = false;
    for (const { from, bytes } of member.waiting.splice(0)) member.host?.receive(from, bytes, this.now);
  }

  partition(i: number, isCut: boolean, direction: 'up' | 'down' | 'both' = 'both'): void {
    const { up, down } = this.#links[i]!;
    if (direction !== 'down') up.setProfile({ ...up.profile, blackhole: isCut });
    if (direction !== 'up') down.setProfile({ ...down.profile, blackhole: isCut });
  }

  /** Runs until the group has answered; undefined when `limitMs` comes first. */
  run(limitMs: Millis = 600_000): GroupOutcome | undefined {
    this.runUntil(limitMs, () => this.sender.group.outcome() !== undefined);
    return this.sender.group.outcome();
  }

  runUntil(limitMs: Millis, isDone: () => boolean = () => false): void {
    for (let rounds = 0; ; ) {
      this.#turn();
      if (isDone()) return;
      const next = this.#nextTime();
      if (next > limitMs) {
        this.now = Math.max(this.now, Math.min(limitMs, next));
        return;
      }
      rounds = next > this.now ? 0 : rounds + 1;
      if (rounds > 10_000) throw new Error(`the world spins at ${this.now}`);
      this.now = Math.max(this.now, next);
    }
  }

  #nextTime(): Millis {
    let next = Math.min(this.#actions.nextTime(), this.sender.nextTimeout());
    for (const { up, down } of this.#links) next = Math.min(next, up.nextTimeout(), down.nextTimeout());
    for (const { host, isPaused } of this.members) if (host !== undefined && !isPaused) next = Math.min(next, host.nextTimeout());
    return next;
  }

  #turn(): void {
    while (this.#actions.nextTime() <= this.now) this.#actions.pop()!();
    this.#links.forEach(({ up, down }, i) => {
      const member = this.members[i]!;
      for (let next = up.poll(this.now); next !== undefined; next = up.poll(this.now)) {
        if (member.isPaused && member.host !== undefined) member.waiting.push({ from: this.#senderAddress, bytes: next.bytes });
        else member.host?.receive(this.#senderAddress, next.bytes, this.now);
      }
      for (let next = down.poll(this.now); next !== undefined; next = down.poll(this.now)) this.sender.receive(member.address, next.bytes, this.now);
    });
    this.#drive(this.sender, (to, bytes) => {
      const i = this.members.findIndex(({ address }) => address.key === to.key);
      this.#links[i]!.up.offer(bytes, this.now, undefined);
    });
    this.members.forEach((member, i) => {
      const { host } = member;
      if (host === undefined || member.isPaused) return;
      this.#drive(host, (_to, bytes) => this.#links[i]!.down.offer(bytes, this.now, undefined));
      this.#write(member, host);
    });
  }

  #drive(machine: Machine, send: (to: Address, bytes: Uint8Array) => void): void {
    if (machine.nextTimeout() <= this.now) machine.handleTimeout(this.now);
    for (let next = machine.poll(this.now); next !== undefined; next = machine.poll(this.now)) send(next.to, next.bytes.slice());
  }

  #write(member: MemberProcess, host: MemberHost): void {
    const operations = host.takeDisk();
    if (operations === undefined) return;
    const { life, disk } = member;
    this.at(this.now + disk.drawDelayMs(), () => {
      if (member.life !== life) return;
      try {
        disk.run(operations);
        host.diskDone();
      } catch (error) {
        host.diskFailed((error as Error).message, this.now);
      }
    });
  }

  #newDisk(i: number, life: number): SimulatedDisk {
    return new SimulatedDisk({ random: this.#random.fork(`disk${i} ${life}`), maxDelayMs: this.#options.diskMs ?? 2 });
  }
}
