import type { Reply } from '../state-machine.ts';
import { describeReply } from './reply-kind.ts';

/** Whose votes are kept, however many names are made up. */
const MAX_VOTERS = 64;
const NOTHING = new Uint8Array(0);

interface Choice {
  readonly reply: Reply;
  readonly voters: Set<string>;
}

/** What members say to one request. Each has one vote, however often it speaks and over whichever connection; equal are status, offset and body. */
export class Ballot {
  readonly #members: number;
  /** Equal ones that are an answer. */
  readonly votes: number;
  readonly #isRepeatable: boolean;
  readonly #choices: Choice[] = [];
  readonly #voters = new Set<string>();
  /** What members said instead of an answer, last. */
  readonly #refusals = new Map<string, string>();

  /**
   * `votes` equal ones of `members` are an answer. `isRepeatable`: an honest member may say several things, each of them true, and has
   * one vote for each.
   */
  constructor(members: number, votes: number, isRepeatable: boolean) {
    this.#members = members;
    this.votes = votes;
    this.#isRepeatable = isRepeatable;
  }

  /** The member's answer. A second one does not count. */
  cast(memberId: string, reply: Reply): void {
    if (this.#voters.has(memberId) && !this.#isRepeatable) return;
    if (!this.#voters.has(memberId) && this.#voters.size >= MAX_VOTERS) return;
    const choice = this.#choices.find((each) => isEqual(each.reply, reply));
    if (choice !== undefined) choice.voters.add(memberId);
    else if (this.#choices.length < MAX_VOTERS) this.#choices.push({ reply: { ...reply, digest: NOTHING }, voters: new Set([memberId]) });
    this.#voters.add(memberId);
  }

  /** The member couldn't say. It may, later. */
  refuse(memberId: string, reply: Reply): void {
    if (this.#refusals.size < MAX_VOTERS || this.#refusals.has(memberId)) this.#refusals.set(memberId, describeReply(reply));
  }

  /** What enough members said. Without its digest, on which nobody has voted. */
  get answer(): Reply | undefined {
    return this.#choices.find(({ voters }) => voters.size >= this.votes)?.reply;
  }

  /** Even if all who have not answered said the same, it would not be enough. */
  get isHopeless(): boolean {
    if (this.#isRepeatable) return false;
    const best = Math.max(0, ...this.#choices.map(({ voters }) => voters.size));
    return best + Math.max(0, this.#members - this.#voters.size) < this.votes;
  }

  /** Who said what. */
  describe(): string {
    const said = this.#choices.map(({ reply, voters }) => `${[...voters].join(' and ')}: ${describeReply(reply)}`);
    for (const [memberId, refusal] of this.#refusals) if (!this.#voters.has(memberId)) said.push(`${memberId}: ${refusal}`);
    return said.length === 0 ? 'nobody said anything' : said.join('; ');
  }
}

function isEqual(a: Reply, b: Reply): boolean {
  return a.status === b.status && a.offset === b.offset && a.body.length === b.body.length && a.body.every((byte, i) => byte === b.body[i]);
}
