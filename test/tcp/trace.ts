import { expect } from 'vitest';
import { makeAddress, type Address } from '../../src/core/address.ts';
import { decodeInto, encodeInto, OK } from '../../src/wire/codec.ts';
import { formatSegment } from '../../src/wire/format.ts';
import { ABSENT, ACK, CWR, ECE, FIN, PSH, RST, Segment, SYN, URG } from '../../src/wire/segment.ts';
import { seqAdd, seqDiff } from '../../src/wire/sequence.ts';
import type { TcpConfig } from '../../src/tcp/config.ts';
import type { Connection } from '../../src/tcp/connection.ts';
import { Endpoint, type EndpointOptions } from '../../src/tcp/endpoint.ts';

/** Initial sequence numbers; a trace counts from them, so 0 is the SYN and 1 the first byte. */
export const OUR_ISS = 1_000_000;
export const PEER_ISS = 0x7000_0000;
export const PEER = makeAddress('192.0.2.1', 4242);

const FLAGS: Readonly<Record<string, number>> = { S: SYN, F: FIN, R: RST, P: PSH, U: URG, E: ECE, W: CWR, '.': ACK };

/** A segment of the scripted peer, numbers relative to the initial ones. What is left out is not on the wire. */
export interface In {
  readonly seq?: number;
  /** Default, with the ACK flag: everything we have sent. */
  readonly ack?: number;
  readonly win?: number;
  readonly data?: string | Uint8Array;
  /** So many bytes of the peer's stream, which starts at sequence number 1. */
  readonly len?: number;
  readonly mss?: number;
  readonly wscale?: number;
  readonly sackOK?: boolean;
  /** TSval, or TSval and TSecr; a lone TSval echoes our latest. */
  readonly ts?: number | readonly [number, number];
  readonly sack?: readonly (readonly [number, number])[];
  readonly capabilities?: number;
  readonly crc?: boolean;
  readonly from?: Address;
}

/** A segment we sent, numbers relative. */
export interface Out {
  readonly at: number;
  readonly to: Address;
  readonly flags: string;
  readonly seq: number;
  readonly ack: number;
  readonly win: number;
  readonly data: Uint8Array;
  readonly mss: number;
  readonly wscale: number;
  readonly sackOK: boolean;
  readonly ts: readonly [number, number] | undefined;
  readonly sack: readonly (readonly [number, number])[];
  readonly capabilities: number;
  readonly crc: boolean;
  readonly text: string;
}

export interface Expected {
  readonly at?: number;
  readonly seq?: number;
  readonly ack?: number;
  readonly win?: number;
  readonly len?: number;
  readonly data?: string;
  readonly sack?: readonly (readonly [number, number])[];
  readonly to?: Address;
}

export function flagBits(text: string): number {
  let flags = 0;
  for (const letter of text) {
    const flag = FLAGS[letter];
    if (flag === undefined) throw new Error(`no flag ${letter}`);
    flags |= flag;
  }
  return flags;
}

/** Letters of `flags` in the order S F R . — PSH is advice and left out. */
function flagLetters(flags: number): string {
  let text = '';
  for (const letter of ['S', 'F', 'R', 'U', 'E', 'W', '.']) if ((flags & FLAGS[letter]!) !== 0) text += letter;
  return text;
}

/** Byte `offset` of any test stream: its position can be told from its value, mostly. */
export function streamByte(offset: number): number {
  return (offset * 31 + (offset >> 8) * 7) & 255;
}

export function streamBytes(start: number, end: number): Uint8Array {
  const bytes = new Uint8Array(end - start);
  for (let i = 0; i < bytes.length; i++) bytes[i] = streamByte(start + i);
  return bytes;
}

export interface TraceOptions {
  readonly config?: Partial<TcpConfig>;
  /** Listen with this backlog. */
  readonly backlog?: number;
  readonly endpoint?: Partial<EndpointOptions>;
}

/**
 * A packet trace in virtual time: one Endpoint, and a peer played by the test, segment by segment, through real
 * datagrams. It stops at every timeout on the way and fails if the endpoint spins.
 */
export class Trace {
  readonly endpoint: Endpoint;
  now = 0;
  /** Sent and not yet expected by the test. */
  readonly sent: Out[] = [];
  /** Our latest TSval, which a peer echoes. */
  lastTsVal = 0;
  /** Highest relative sequence number we have sent to the peer. */
  sndNxt = 0;
  readonly #iss: number;
  #batching = false;
  readonly #segment = new Segment();

  constructor(options: TraceOptions = {}) {
    this.#iss = options.endpoint?.initialSequence ?? OUR_ISS;
    this.endpoint = new Endpoint({
      secret: Uint8Array.of(1, 2, 3, 4), initialSequence: OUR_ISS, ...options.endpoint, config: { integrity: 'accept', ...options.config },
    });
    if (options.backlog !== undefined) this.endpoint.listen(options.backlog);
  }

  connect(options: Partial<TcpConfig> = {}, to = PEER): Connection {
    const connection = this.endpoint.connect(to, this.now, options);
    this.pump();
    return connection;
  }

  /** Sends what the machine wants sent, as a driver does after each step. */
  pump(): void {
    if (this.#batching) return;
    for (let count = 0; ; count++) {
      if (count > 100_000) throw new Error(`poll never ends at ${this.now}`);
      const transmit = this.endpoint.poll(this.now);
      if (transmit === undefined) break;
      this.sent.push(this.#record(transmit.to, transmit.bytes.slice()));
    }
  }

  /** Several segments and calls in one batch: the machine is polled once, at the end. */
  batch(step: () => void): void {
    this.#batching = true;
    step();
    this.#batching = false;
    this.pump();
  }

  /** An application call, and what it makes us send. */
  call<T>(step: (now: number) => T): T {
    const result = step(this.now);
    this.pump();
    return result;
  }

  /** A datagram as it comes, at the time it is. */
  datagram(bytes: Uint8Array, from: Address = PEER): void {
    this.endpoint.receive(from, bytes, this.now);
    this.pump();
  }

  /** The peer sends a segment: `in('P.', {seq: 1, ack: 1, len: 100})`. */
  in(flags: string, fields: In = {}): void {
    this.datagram(this.encode(flags, fields), fields.from ?? PEER);
  }

  encode(flags: string, fields: In = {}): Uint8Array {
    const segment = this.#segment;
    segment.clear();
    segment.flags = flagBits(flags);
    const seq = fields.seq ?? 0;
    segment.seq = seqAdd(PEER_ISS, seq);
    if (segment.has(ACK)) segment.ack = seqAdd(this.#iss, fields.ack ?? this.sndNxt);
    segment.window = fields.win ?? 65_535;
    if (fields.mss !== undefined) segment.mss = fields.mss;
    if (fields.wscale !== undefined) segment.windowShift = fields.wscale;
    segment.sackPermitted = fields.sackOK ?? false;
    if (fields.ts !== undefined) {
      segment.hasTimestamps = true;
      segment.tsVal = typeof fields.ts === 'number' ? fields.ts : fields.ts[0];
      segment.tsEcr = typeof fields.ts === 'number' ? (segment.has(ACK) ? this.lastTsVal : 0) : fields.ts[1];
    }
    for (const [left, right] of fields.sack ?? []) {
      segment.sack[2 * segment.sackCount] = seqAdd(this.#iss, left);
      segment.sack[2 * segment.sackCount + 1] = seqAdd(this.#iss, right);
      segment.sackCount++;
    }
    if (fields.capabilities !== undefined) segment.capabilities = fields.capabilities;
    segment.hasCrc = fields.crc ?? fields.capabilities !== undefined;
    if (typeof fields.data === 'string') segment.payload = Buffer.from(fields.data);
    else if (fields.data !== undefined) segment.payload = fields.data;
    else if (fields.len !== undefined) segment.payload = streamBytes(seq - 1, seq - 1 + fields.len);
    segment.payloadEnd = segment.payload.length;
    const target = new Uint8Array(52 + segment.payloadLength);
    return target.slice(0, encodeInto(segment, target));
  }

  /** The next segment we sent has these flags (PSH aside) and fields. */
  out(flags: string, fields: Expected = {}): Out {
    const next = this.sent.shift();
    if (next === undefined) expect.fail(`expected ${flags} ${JSON.stringify(fields)} at ${this.now}, nothing was sent`);
    const actual: Record<string, unknown> = { flags: next.flags };
    for (const key of Object.keys(fields)) {
      if (key === 'len') actual[key] = next.data.length;
      else if (key === 'data') actual[key] = Buffer.from(next.data).toString();
      else actual[key] = next[key as keyof Out];
    }
    expect(actual, next.text).toEqual({ ...fields, flags: [...flags].filter((letter) => letter !== 'P').join('') });
    return next;
  }

  /** Everything sent and not yet looked at. */
  takeAll(): Out[] {
    return this.sent.splice(0);
  }

  nothing(): void {
    expect(this.sent.map((out) => `${out.at}: ${out.text}`)).toEqual([]);
  }

  /** Goes to the next timeout. */
  runToNext(): void {
    const next = this.endpoint.nextTimeout();
    expect(next).toBeGreaterThan(-Infinity);
    expect(next).toBeLessThan(Infinity);
    this.run(next);
  }

  /** Time passes, with every timeout on the way. */
  run(until: number): void {
    for (let steps = 0; this.endpoint.nextTimeout() <= until; steps++) {
      if (steps > 1_000_000) throw new Error(`the endpoint spins at ${this.now}`);
      this.now = Math.max(this.now, this.endpoint.nextTimeout());
      this.endpoint.handleTimeout(this.now);
      this.pump();
    }
    this.now = until;
  }

  wait(ms: number): void {
    this.run(this.now + ms);
  }

  /** All that the application can read now. */
  read(connection: Connection): Uint8Array {
    const chunks: Uint8Array[] = [];
    for (let chunk = connection.read(); chunk !== undefined; chunk = connection.read()) chunks.push(chunk);
    this.pump();
    return Buffer.concat(chunks);
  }

  #record(to: Address, bytes: Uint8Array): Out {
    const segment = this.#segment;
    expect(decodeInto(segment, bytes)).toBe(OK);
    if (segment.hasTimestamps) this.lastTsVal = segment.tsVal;
    const out: Out = {
      at: this.now,
      to,
      flags: flagLetters(segment.flags),
      seq: seqDiff(segment.seq, this.#iss),
      ack: segment.has(ACK) ? seqDiff(segment.ack, PEER_ISS) : 0,
      win: segment.window,
      data: segment.payload.slice(segment.payloadStart, segment.payloadEnd),
      mss: segment.mss,
      wscale: segment.windowShift,
      sackOK: segment.sackPermitted,
      ts: segment.hasTimestamps ? [segment.tsVal, segment.tsEcr] : undefined,
      sack: Array.from({ length: segment.sackCount }, (_, i) => [
        seqDiff(segment.sack[2 * i]!, PEER_ISS), seqDiff(segment.sack[2 * i + 1]!, PEER_ISS),
      ] as const),
      capabilities: segment.capabilities,
      crc: segment.hasCrc,
      text: formatSegment(segment, this.#iss, PEER_ISS),
    };
    if (!segment.has(RST)) this.sndNxt = Math.max(this.sndNxt, out.seq + segment.length);
    return out;
  }
}

/** What a plain TCP puts on its SYN. */
export const PEERS = {
  none: {},
  mss: { mss: 1460 },
  sack: { mss: 1460, sackOK: true },
  all: { mss: 1460, wscale: 7, sackOK: true, ts: 1000 },
} as const satisfies Record<string, In>;
export type PeerKind = keyof typeof PEERS;

export interface OpenOptions extends TraceOptions {
  readonly peer?: PeerKind | In;
  /** Window of the SYN and of the ACK that completes the handshake. */
  readonly win?: number;
  readonly rttMs?: number;
}

export interface Opened {
  readonly t: Trace;
  readonly c: Connection;
}

function synOf(peer: PeerKind | In | undefined): In {
  return typeof peer === 'object' ? peer : PEERS[peer ?? 'mss'];
}

/** The peer connected to us and we accepted. */
export function openPassive(options: OpenOptions = {}): Opened {
  const t = new Trace({ backlog: 16, ...options });
  const syn = synOf(options.peer);
  const win = options.win ?? 65_535;
  t.in('S', { ...syn, win });
  t.out('S.', { seq: 0, ack: 1, len: 0 });
  if (options.rttMs !== undefined) t.wait(options.rttMs);
  t.in('.', { seq: 1, ack: 1, win, ...(syn.ts === undefined ? {} : { ts: 1001 }) });
  // The SYN-ACK's window is not scaled: the whole of it is told now.
  if (syn.wscale !== undefined && t.sent.length > 0) t.out('.', { seq: 1, ack: 1, len: 0 });
  t.nothing();
  const c = t.endpoint.accept();
  if (c === undefined) expect.fail('no connection to accept');
  return { t, c };
}

/** We connected to the peer. */
export function openActive(options: OpenOptions = {}): Opened {
  const t = new Trace(options);
  const syn = synOf(options.peer);
  const c = t.connect();
  t.out('S', { seq: 0, len: 0 });
  if (options.rttMs !== undefined) t.wait(options.rttMs);
  t.in('S.', { ...syn, win: options.win ?? 65_535 });
  t.out('.', { seq: 1, ack: 1, len: 0 });
  t.nothing();
  return { t, c };
}

export function expectAbsent(out: Out, ...fields: ('mss' | 'wscale' | 'capabilities')[]): void {
  for (const field of fields) expect(out[field], field).toBe(ABSENT);
}

/** Quick ACKs are over: sixteen bytes have come, each in a segment of its own. The peer's next number is 17. */
export function afterQuickAcks(opened: Opened, ts?: number): Opened {
  for (let i = 1; i <= 16; i++) opened.t.in('.', { seq: i, len: 1, ...(ts === undefined ? {} : { ts }) });
  expect(opened.t.takeAll().map((out) => out.ack)).toEqual(Array.from({ length: 16 }, (_, i) => i + 2));
  return opened;
}
