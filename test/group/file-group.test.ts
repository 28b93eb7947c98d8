import { createHash } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { decodeFileOperation } from '../../src/group/file-operation.ts';
import { FileGroup } from '../../src/group/file-group.ts';
import { FrameReader } from '../../src/group/framing.ts';
import { decodeMessage, encodeMessage, PROTOCOL_VERSION, type Message, type Request } from '../../src/group/message.ts';
import type { Reply } from '../../src/group/state-machine.ts';

const WINDOW_BYTES = 200_000;

/** A group of which the test plays the members. */
class Play {
  readonly group: FileGroup;
  readonly requests: Request[][];
  readonly #readers: FrameReader[];
  readonly #content: Buffer[];

  constructor(members: number) {
    const names = Array.from({ length: members }, (_, i) => `m${i}`);
    this.group = new FileGroup({ members: names, clientId: 'c', windowBytes: WINDOW_BYTES, silenceTimeoutMs: 2000, replyTimeoutMs: 10_000 }, 0);
    this.requests = names.map(() => []);
    this.#readers = names.map(() => new FrameReader());
    this.#content = names.map(() => Buffer.alloc(0));
    names.forEach((_, i) => this.greet(i));
  }

  greet(member: number, welcome: Partial<Message & { kind: 'welcome' }> = {}): void {
    this.group.connected(member, 0);
    this.receive(member, { kind: 'welcome', version: PROTOCOL_VERSION, clusterId: 'failmask', memberId: `life-${member}`, ...welcome });
  }

  receive(member: number, message: Message, now = 0): void {
    this.group.received(member, encodeMessage(message), now);
  }

  /** The member reads everything that is for it, and answers as it must unless `change` says otherwise. */
  answer(member: number, change: (reply: Reply, request: Request) => Reply = (reply) => reply, now = 0): void {
    for (let bytes = this.group.output(member); bytes !== undefined; bytes = this.group.output(member)) {
      const frames = this.#readers[member]!.push(bytes.slice());
      this.group.sent(member, bytes.length);
      for (const frame of frames) {
        const message = decodeMessage(frame);
        if (message.kind === 'request') this.requests[member]!.push(message);
      }
    }
    for (let request = this.requests[member]!.shift(); request !== undefined; request = this.requests[member]!.shift()) {
      const operation = decodeFileOperation(request.operation)!;
      if (operation.kind === 'append') this.#content[member] = Buffer.concat([this.#content[member]!, operation.bytes]);
      const content = this.#content[member]!;
      const right: Reply = {
        status: operation.kind === 'commit' ? 'committed' : 'ok', offset: content.length,
        digest: createHash('sha256').update(content).digest(), body: new Uint8Array(0),
      };
      this.receive(member, { kind: 'reply', memberId: 'm', clientId: 'c', serial: request.serial, reply: change(right, request) }, now);
    }
  }

  content(member: number): Buffer {
    return this.#content[member]!;
  }
}

const DATA = Buffer.from(Array.from({ length: 150_000 }, (_, i) => i % 251));

describe('the client of a file group', () => {
  it('answers committed when every member has, with the digest of the file', () => {
    const play = new Play(2);
    expect(play.group.write(DATA)).toBe(DATA.length);
    play.group.end();
    play.answer(0, undefined, 5);
    expect(play.group.outcome()).toBeUndefined();
    play.answer(1, undefined, 9);
    expect(play.group.outcome()).toMatchObject({
      kind: 'committed', bytes: DATA.length, sha256: createHash('sha256').update(DATA).digest('hex'),
      fates: [{ kind: 'committed', member: 'm0', memberId: 'life-0', atMs: 5 }, { kind: 'committed', member: 'm1', atMs: 9 }],
    });
    expect(play.content(0).equals(DATA)).toBe(true);
    expect(play.content(1).equals(DATA)).toBe(true);
  });

  it('opens the window only as far as the slowest living member', () => {
    const play = new Play(2);
    expect(play.group.write(Buffer.alloc(300_000))).toBe(WINDOW_BYTES);
    play.answer(0);
    expect(play.group.room).toBe(0);
    expect(play.group.stableBytes).toBe(0);
    play.answer(1);
    expect(play.group.stableBytes).toBe(WINDOW_BYTES);
    expect(play.group.room).toBe(WINDOW_BYTES);
    play.group.write(Buffer.alloc(WINDOW_BYTES));
    play.answer(0);
    expect(play.group.room).toBe(0);
    play.group.lost(1, 'ECONNRESET', undefined, 7);
    expect(play.group.room).toBe(WINDOW_BYTES);
  });

  it('does not use the memory of what it was given', () => {
    const play = new Play(1);
    const bytes = Buffer.from('hello');
    play.group.write(bytes);
    bytes.fill(0);
    play.group.end();
    play.answer(0);
    expect(play.content(0).toString()).toBe('hello');
    expect(play.group.outcome()?.kind).toBe('committed');
  });

  const digestOf = (reply: Reply): Uint8Array => Uint8Array.from(reply.digest, (byte, i) => (i === 0 ? byte ^ 1 : byte));
  it.each<[string, (reply: Reply) => Reply, RegExp]>([
    ['another digest', (reply) => ({ ...reply, digest: digestOf(reply) }), /disagrees in the digest/],
    ['no digest', (reply) => ({ ...reply, digest: new Uint8Array(0) }), /disagrees in the digest/],
    ['fewer bytes', (reply) => ({ ...reply, offset: Math.max(0, reply.offset - 1) }), /has \d+ bytes where \d+ were sent/],
    ['a gap', (reply) => ({ ...reply, status: 'gap', body: Buffer.from('bytes are\nmissing') }), /answered gap: bytes are missing/],
    ['ok instead of committed', (reply) => ({ ...reply, status: 'ok' }), /answered ok/],
    ['committed instead of ok', (reply) => ({ ...reply, status: 'committed' }), /answered committed/],
  ])('expels a member that answers with %s, and never counts it', (_name, change, reason) => {
    const play = new Play(2);
    play.group.write(DATA);
    play.group.end();
    play.answer(0, (reply) => (reply.offset === DATA.length ? change(reply) : reply));
    play.answer(1);
    const outcome = play.group.outcome()!;
    expect(outcome.kind).toBe('committed');
    expect(outcome.fates.map(({ kind }) => kind)).toEqual(['expelled', 'committed']);
    expect(outcome.fates[0]).toMatchObject({ reason: expect.stringMatching(reason) });
    expect(play.group.isLiving(0)).toBe(false);
  });

  it('expels a member that answers twice, or what it was not asked', () => {
    for (const serial of [1, 3, 99]) {
      const play = new Play(2);
      const open: Reply = { status: 'ok', offset: 0, digest: createHash('sha256').digest(), body: new Uint8Array(0) };
      play.answer(0);
      play.receive(0, { kind: 'reply', memberId: 'm', clientId: 'c', serial, reply: open });
      expect(play.group.isLiving(0), `serial ${serial}`).toBe(false);
    }
  });

  it.each<[string, Partial<Message & { kind: 'welcome' }>, RegExp]>([
    ['version', { version: 9 }, /version 9/],
    ['cluster', { clusterId: 'red' }, /cluster "red"/],
    ['identity', { memberId: '' }, /identity/],
  ])('expels a member whose welcome has a wrong %s', (_name, welcome, reason) => {
    const group = new FileGroup({ members: ['m0'], clientId: 'c' }, 0);
    group.connected(0, 0);
    group.received(0, encodeMessage({ kind: 'welcome', version: PROTOCOL_VERSION, clusterId: 'failmask', memberId: 'x', ...welcome }), 3);
    expect(group.outcome()).toMatchObject({ kind: 'lost', fates: [{ reason: expect.stringMatching(reason), atMs: 3 }] });
  });

  it('expels a peer that speaks something else', () => {
    const group = new FileGroup({ members: ['m0'], clientId: 'c' }, 0);
    group.connected(0, 0);
    group.received(0, Buffer.from('SSH-2.0-OpenSSH'), 0);
    expect(group.outcome()).toMatchObject({ kind: 'lost', fates: [{ reason: expect.stringContaining('does not speak the group protocol') }] });
  });

  it('says what is known of each when none is left', () => {
    const play = new Play(2);
    play.group.write(DATA);
    play.answer(0);
    play.group.lost(0, 'ETIMEDOUT: silence', new Error('ETIMEDOUT: silence'), 100);
    play.group.end();
    for (let bytes = play.group.output(1); bytes !== undefined; bytes = play.group.output(1)) play.group.sent(1, bytes.length);
    play.group.lost(1, 'ETIMEDOUT: silence', undefined, 200);
    expect(play.group.outcome()).toMatchObject({
      kind: 'lost', bytes: DATA.length,
      fates: [
        { kind: 'expelled', atMs: 100, bytes: DATA.length, mayHaveCommitted: false, error: expect.any(Error) },
        { kind: 'expelled', atMs: 200, bytes: 0, mayHaveCommitted: true },
      ],
    });
    expect(play.group.room).toBe(0);
    expect(play.group.write(DATA)).toBe(0);
  });

  it('never takes back a member that it has expelled', () => {
    const play = new Play(2);
    play.group.lost(0, 'gone', undefined, 1);
    play.group.connected(0, 2);
    play.receive(0, { kind: 'welcome', version: PROTOCOL_VERSION, clusterId: 'failmask', memberId: 'again' });
    expect(play.group.isLiving(0)).toBe(false);
    expect(play.group.output(0)).toBeUndefined();
  });

  it('keeps a member that has committed when its connection ends', () => {
    const play = new Play(1);
    play.group.end();
    play.answer(0);
    play.group.lost(0, 'ETIMEDOUT', undefined, 50);
    expect(play.group.outcome()).toMatchObject({ kind: 'committed', bytes: 0 });
  });

  it('expels who is silent, and who lives but does not answer; whoever was stopped itself accuses nobody', () => {
    const play = new Play(3);
    play.group.write(DATA);
    for (let bytes = play.group.output(1); bytes !== undefined; bytes = play.group.output(1)) play.group.sent(1, bytes.length);
    play.answer(0);
    play.answer(2);
    // A long stop of this process: one tick, not many.
    play.group.handleTimeout(60_000);
    expect(play.group.livingCount).toBe(3);
    let now = 60_000;
    let segments = 0;
    const livingAfter = (ms: number): boolean[] => {
      for (const end = now + ms; now < end;) {
        now = play.group.nextTimeout();
        segments++;
        // 1 still ACKs, but says nothing; 2 has fallen silent.
        play.group.observe(0, segments, 0);
        play.group.observe(1, segments, 0);
        play.group.handleTimeout(now);
      }
      return [0, 1, 2].map((member) => play.group.isLiving(member));
    };
    expect(livingAfter(1500)).toEqual([true, true, true]);
    expect(livingAfter(700)).toEqual([true, true, false]);
    expect(livingAfter(9000)).toEqual([true, false, false]);
    const events = [];
    for (let event = play.group.nextEvent(); event !== undefined; event = play.group.nextEvent()) events.push(`${event.kind} ${event.member}`);
    expect(events).toEqual(['joined m0', 'joined m1', 'joined m2', 'expelled m2', 'expelled m1']);
  });

  it('asks whether it is a member at all when there was no greeting', () => {
    const group = new FileGroup({ members: ['m0'], clientId: 'c', silenceTimeoutMs: 2000, replyTimeoutMs: 1000 }, 0);
    group.connected(0, 0);
    for (let i = 1; group.livingCount > 0; i++) {
      group.observe(0, i, 0);
      group.handleTimeout(group.nextTimeout());
    }
    expect(group.outcome()).toMatchObject({ kind: 'lost', fates: [{ isSilent: true, reason: expect.stringContaining('is it a member of a group?') }] });
  });

  it('is patient with a slow line: bytes that are acknowledged are a sign of work', () => {
    const play = new Play(1);
    play.group.write(DATA);
    for (let now = 0, i = 1; now < 60_000; i++) {
      now = play.group.nextTimeout();
      play.group.observe(0, i, i);
      play.group.handleTimeout(now);
    }
    expect(play.group.isLiving(0)).toBe(true);
  });

  it('is bounded in requests, too: single bytes do not fill the memory', () => {
    const play = new Play(1);
    let written = 0;
    while (play.group.room > 0 && written < 100_000) written += play.group.write(Uint8Array.of(1));
    expect(written).toBeLessThan(5000);
    play.answer(0);
    expect(play.group.room).toBe(WINDOW_BYTES);
  });

  it('needs a member', () => {
    expect(() => new FileGroup({ members: [], clientId: 'c' }, 0)).toThrow(RangeError);
  });
});
