import type { Millis } from '../../core/machine.ts';
import type { Request } from '../message.ts';

type Name = Pick<Request, 'clientId' | 'serial'>;

/** Requests whose order this member waits for, before it tells whoever gives it. */
const MAX_WATCHED = 1024;
/** Requests that were applied lately, and for how many retries they are. */
const MAX_RECENT = 4096;
const RECENT_RETRIES = 5;

/**
 * Requests on their way through the group, as far as one member knows. Where clients ask everybody, each request comes many times, by ways
 * of different length: it gets one place in the order while it is under way, and nobody looks after what was just done.
 */
export class RequestLedger {
  readonly #retryMs: Millis;
  /** Another is to order these. */
  readonly #watched = new Map<string, { readonly request: Request; readonly sinceMs: Millis }>();
  /** This member has given them a place, or begun to, and they are not applied. Bounded by who begins them. */
  readonly #underWay = new Set<string>();
  /** When they were applied; the oldest first. */
  readonly #recent = new Map<string, Millis>();

  constructor(retryMs: Millis) {
    this.#retryMs = retryMs;
  }

  isUnderWay(request: Name): boolean {
    return this.#underWay.has(nameOf(request));
  }

  begun(request: Name): void {
    this.#underWay.add(nameOf(request));
  }

  /** Everybody has just answered it. If its client goes on asking for it, the answers are lost, and it takes another place in the order. */
  isRecent(request: Name, now: Millis): boolean {
    const appliedMs = this.#recent.get(nameOf(request));
    return appliedMs !== undefined && now - appliedMs < RECENT_RETRIES * this.#retryMs;
  }

  /** Another is to order it; if nothing comes of it, it is overdue. */
  watch(request: Request, now: Millis): void {
    if (this.#watched.size < MAX_WATCHED && !this.isRecent(request, now)) this.#watched.set(nameOf(request), { request, sinceMs: now });
  }

  /** Each once: if nothing comes of it again, the client asks again. */
  takeOverdue(now: Millis): Request[] {
    const overdue = [...this.#watched.values()].filter(({ sinceMs }) => now - sinceMs >= this.#retryMs).map(({ request }) => request);
    for (const request of overdue) this.#watched.delete(nameOf(request));
    return overdue;
  }

  applied(request: Name, now: Millis): void {
    const name = nameOf(request);
    this.#underWay.delete(name);
    this.#watched.delete(name);
    this.#recent.delete(name);
    this.#recent.set(name, now);
    if (this.#recent.size <= MAX_RECENT) return;
    const [oldest] = this.#recent.keys();
    this.#recent.delete(oldest!);
  }

  /** A view has ended, and with it what this member had begun. What another was to order is overdue in the next. */
  viewEnded(): void {
    this.#underWay.clear();
  }
}

function nameOf({ clientId, serial }: Name): string {
  return `${clientId} ${serial}`;
}
