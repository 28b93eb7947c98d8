import { ByteReader, ByteWriter } from './byte-codec.ts';
import type { Request } from './message.ts';
import { SnapshotError, STATUSES, type Reply } from './state-machine.ts';

/** Clients whose requests are remembered; more are refused, since forgetting one could apply its request twice. */
export const MAX_SESSIONS = 64;
/** Replies kept for each client, besides those it has acknowledged. */
export const MAX_CACHED_REPLIES = 1024;

interface Session {
  /** Highest serial applied. */
  serial: number;
  readonly replies: Map<number, Reply>;
}

const NOTHING = new Uint8Array(0);

/**
 * Exactly once: what each client has asked and been answered. It belongs to the replicated state: all members see the
 * same requests in the same order, so their tables agree, and a snapshot carries the table with it.
 */
export class Sessions {
  readonly #sessions = new Map<string, Session>();

  /** The reply that `request` gets without being applied: the cached one of a repeated serial, or a refusal. Undefined: apply it. */
  find(request: Request): Reply | undefined {
    const session = this.#sessions.get(request.clientId);
    if (session === undefined) return this.#sessions.size < MAX_SESSIONS ? undefined : { status: 'busy', offset: 0, digest: NOTHING, body: NOTHING };
    if (request.serial > session.serial) return undefined;
    return session.replies.get(request.serial) ?? { status: 'expired', offset: 0, digest: NOTHING, body: NOTHING };
  }

  /** `request` has been applied. */
  record(request: Request, reply: Reply): void {
    let session = this.#sessions.get(request.clientId);
    if (session === undefined) {
      session = { serial: 0, replies: new Map() };
      this.#sessions.set(request.clientId, session);
    }
    session.serial = request.serial;
    session.replies.set(request.serial, reply);
    for (const serial of session.replies.keys()) {
      if (serial > request.acknowledged && session.replies.size <= MAX_CACHED_REPLIES) break;
      session.replies.delete(serial);
    }
  }

  /** One chunk for each client. */
  *snapshot(): Iterable<Uint8Array> {
    for (const [clientId, { serial, replies }] of this.#sessions) {
      const writer = new ByteWriter().text(clientId).u53(serial).u32(replies.size);
      for (const [repliedSerial, { status, offset, digest, body }] of replies) {
        writer.u53(repliedSerial).u8(STATUSES.indexOf(status)).u53(offset).block(digest).block(body);
      }
      yield writer.finish();
    }
  }

  /** Throws SnapshotError. */
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
        session.replies.set(serial, { status, offset: reader.u53(), digest: reader.block(0xffff), body: reader.block(0xffff) });
      }
      if (!reader.end()) throw new SnapshotError('a session is cut short or damaged');
      restored.set(clientId, session);
    }
    this.#sessions.clear();
    for (const [clientId, session] of restored) this.#sessions.set(clientId, session);
  }
}
