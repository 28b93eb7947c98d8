import { ByteReader, ByteWriter } from './byte-codec.ts';
import type { Request } from './message.ts';
import { SnapshotError, STATUSES, type Reply, type Status } from './state-machine.ts';

/** Clients whose requests are remembered. */
export const MAX_SESSIONS = 1024;
/** Replies kept for each client, besides those it has acknowledged. */
export const MAX_CACHED_REPLIES = 1024;

export type SessionPolicy =
  /**
   * A client opens a session first and is known by its number from then on. When there are too many, the one longest unused
   * expires, at the same place of the order at every member; its client gets `expired`, never a second execution.
   */
  | 'opened'
  /** The first request opens it, and none is ever forgotten: whoever comes when all are taken is refused. */
  | 'implicit';

interface Session {
  /** Highest serial applied. */
  serial: number;
  readonly replies: Map<number, Reply>;
}

const NOTHING = new Uint8Array(0);

/** Asks for a session: serial 0 and no operation, under any client id. */
export function isOpening(request: Request): boolean {
  return request.serial === 0 && request.operation.length === 0;
}

/** What a client calls itself in a session: the number that it was given, which is its place in the order and never used again. */
export function sessionClientId(index: number): string {
  return `#${index}`;
}

/**
 * Exactly once: what each client has asked and been answered (Ongaro 2014, section 6.3). It belongs to the replicated state:
 * all members see the same requests in the same order, so their tables agree, and a snapshot carries the table with it.
 */
export class Sessions {
  readonly #policy: SessionPolicy;
  readonly #maxSessions: number;
  /** The longest unused first. */
  readonly #sessions = new Map<string, Session>();

  constructor(policy: SessionPolicy, maxSessions = MAX_SESSIONS) {
    this.#policy = policy;
    this.#maxSessions = maxSessions;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Opens a session at this place of the order. Its client calls itself sessionClientId(reply.offset) from now on. */
  open(index: number): Reply {
    if (this.#sessions.size >= this.#maxSessions) {
      const [longestUnused] = this.#sessions.keys();
      this.#sessions.delete(longestUnused!);
    }
    this.#sessions.set(sessionClientId(index), { serial: 0, replies: new Map() });
    return { status: 'ok', offset: index, digest: NOTHING, body: NOTHING };
  }

  /** The reply that `request` gets without being applied: the cached one of a repeated serial, or a refusal. Undefined: apply it. */
  find(request: Request): Reply | undefined {
    const session = this.#sessions.get(request.clientId);
    if (session === undefined) {
      if (this.#policy === 'opened') return refusal('expired');
      return this.#sessions.size < this.#maxSessions ? undefined : refusal('busy');
    }
    if (request.serial > session.serial) return undefined;
    return session.replies.get(request.serial) ?? refusal('expired');
  }

  /** `request` has been applied; find() had nothing to say against it. */
  record(request: Request, reply: Reply): void {
    const session = this.#sessions.get(request.clientId) ?? { serial: 0, replies: new Map<number, Reply>() };
    this.#sessions.delete(request.clientId);
    this.#sessions.set(request.clientId, session);
    session.serial = request.serial;
    session.replies.set(request.serial, reply);
    for (const serial of session.replies.keys()) {
      if (serial > request.acknowledged && session.replies.size <= MAX_CACHED_REPLIES) break;
      session.replies.delete(serial);
    }
  }

  /** One chunk for each client, as it is now. */
  snapshot(): Uint8Array[] {
    return [...this.#sessions].map(([clientId, { serial, replies }]) => {
      const writer = new ByteWriter().text(clientId).u53(serial).u32(replies.size);
      for (const [repliedSerial, { status, offset, digest, body }] of replies) {
        writer.u53(repliedSerial).u8(STATUSES.indexOf(status)).u53(offset).block(digest).u32(body.length).raw(body);
      }
      return writer.finish();
    });
  }

  /** Throws SnapshotError and changes nothing. */
  restore(chunks: Iterable<Uint8Array>): void {
    const restored = new Map<string, Session>();
    for (const chunk of chunks) {
      const reader = new ByteReader(chunk);
      const clientId = reader.text(0xffff);
      const session: Session = { serial: reader.u53(), replies: new Map() };
      const count = reader.u32();
      for (let i = 0; i < count && !reader.isBroken; i++) {
        const serial = reader.u53();
        const status = STATUSES[reader.u8()];
        if (status === undefined) throw new SnapshotError('a session holds an unknown status');
        session.replies.set(serial, { status, offset: reader.u53(), digest: reader.block(0xffff), body: reader.raw(reader.u32()) });
      }
      if (!reader.end()) throw new SnapshotError('a session is cut short or damaged');
      restored.set(clientId, session);
    }
    this.#sessions.clear();
    for (const [clientId, session] of restored) this.#sessions.set(clientId, session);
  }
}

function refusal(status: Status): Reply {
  return { status, offset: 0, digest: NOTHING, body: NOTHING };
}
