import { leads, type ReplicaId, type ReplicaStatus } from '../replica.ts';

/**
 * Whom the members take for their leader or primary. Two may say so of themselves for a while: the higher term is right. A
 * higher term without a leader says nothing: a member that is cut off from the others may count terms for itself.
 */
export class LeaderView {
  #name: string | undefined;
  #term = 0;
  changes = 0;

  /** A target's name; undefined while there is none that we know. */
  get leader(): string | undefined {
    return this.#name;
  }

  get term(): number {
    return this.#term;
  }

  /** `nameOf` finds the target that had this id when it was asked last. */
  observe(name: string, status: ReplicaStatus, nameOf: (id: ReplicaId) => string | undefined): void {
    if (status.term < this.#term && this.#name !== undefined) return;
    if (leads(status.role)) return this.#set(name, status.term);
    const named = status.leader === undefined ? undefined : nameOf(status.leader);
    // Whom it names in an equal term is known already, or has just said that he is not.
    if (named !== undefined && named !== name && (status.term > this.#term || this.#name === undefined)) return this.#set(named, status.term);
    if (this.#name === name) this.#set(undefined, this.#term);
  }

  /** A member says that it does not lead, and perhaps who does. */
  hint(from: string, named: string | undefined): void {
    if (named !== undefined && named !== from) this.#set(named, this.#term);
    else if (this.#name === from) this.#set(undefined, this.#term);
  }

  forget(name: string): void {
    if (this.#name === name) this.#set(undefined, this.#term);
  }

  #set(name: string | undefined, term: number): void {
    if (name !== this.#name) this.changes++;
    this.#name = name;
    this.#term = term;
  }
}
