import { describe, expect, it } from 'vitest';

import { createRandom } from '../../../src/core/random.ts';
import { VoteClient } from '../../../src/group/client/vote-client.ts';
import type { OperationOutcome } from '../../../src/group/client.ts';
import type { ReplyMessage } from '../../../src/group/message.ts';
import type { ViewMode } from '../../../src/group/view/view-replica.ts';
import { Cluster } from './cluster.ts';

/** A client who asks all members of a cluster and counts what they say; some of them lie to it. */
class Voter {
  readonly #cluster: Cluster;
  readonly #client: VoteClient;
  readonly #liars: ReadonlySet<string>;
  #seen: number;

  constructor(cluster: Cluster, liars: readonly string[]) {
    this.#cluster = cluster;
    this.#liars = new Set(liars);
    const ids = [...cluster.nodes.keys()];
    this.#client = new VoteClient({
      clientId: 'voter', targets: ids, members: ids.length, random: createRandom(9), isReadOnly: (operation) => operation[0] === 0x3f, operationTimeoutMs: 15_000, attemptTimeoutMs: 400,
    });
    ids.forEach((_, i) => this.#client.connected(i, cluster.now));
    this.#seen = cluster.replies.length;
  }

  /** The outcome, as text: the number of items after it or all of them, or why there is none. */
  ask(text: string): string {
    const cluster = this.#cluster;
    this.#client.submit(new TextEncoder().encode(text), cluster.now);
    let outcome: OperationOutcome | undefined;
    const step = (): boolean => {
      for (let next = this.#client.nextSending(); next !== undefined; next = this.#client.nextSending()) cluster.propose([...cluster.nodes.keys()][next.target]!, next.request);
      for (; this.#seen < cluster.replies.length; this.#seen++) this.#heed(cluster.replies[this.#seen]!);
      if (this.#client.nextTimeout() <= cluster.now) this.#client.handleTimeout(cluster.now);
      outcome ??= this.#client.takeOutcome();
      return outcome !== undefined;
    };
    for (let i = 0; i < 4000 && !step(); i++) cluster.run(5);
    if (outcome?.kind !== 'answered') return outcome === undefined ? 'no outcome' : outcome.reason;
    const { reply } = outcome;
    return reply.status === 'ok' ? `${reply.offset} ${new TextDecoder().decode(reply.body)}`.trim() : reply.status;
  }

  #heed(message: ReplyMessage): void {
    const place = [...this.#cluster.nodes.keys()].indexOf(message.memberId);
    // The session is not lied about: the lie is a wrong value.
    const isLie = this.#liars.has(message.memberId) && message.serial > 0 && message.reply.status === 'ok';
    this.#client.received(place, isLie ? { ...message, reply: { ...message.reply, offset: 666, body: new TextEncoder().encode('lie') } } : message, this.#cluster.now);
  }
}

describe.each(['sequencer', 'active'] as const satisfies readonly ViewMode[])('%s: the client counts', (mode) => {
  it.each([[3, ['m1']], [3, ['m3']], [5, ['m1', 'm4']]] as const)('of %i members, %j lie alike: the others are more', (size, liars) => {
    const cluster = new Cluster({ mode, size });
    cluster.settle();
    const voter = new Voter(cluster, liars);
    for (let i = 1; i <= 8; i++) expect(voter.ask(`+${i}`)).toBe(String(i));
    expect(voter.ask('?')).toBe('8 1,2,3,4,5,6,7,8');
  });

  it('one lies and one crashes, of five: right, over the change of view, and each is done once', () => {
    const cluster = new Cluster({ mode, size: 5 });
    cluster.settle();
    const voter = new Voter(cluster, ['m2']);
    expect(voter.ask('+1')).toBe('1');
    cluster.crash('m1');
    expect(voter.ask('+2')).toBe('2');
    expect(voter.ask('?')).toBe('2 1,2');
  });

  it('three of five lie alike: wrong, and nobody notices; two of four: no answer', () => {
    const many = new Cluster({ mode, size: 5 });
    many.settle();
    expect(new Voter(many, ['m1', 'm2', 'm3']).ask('+1')).toBe('666 lie');
    const half = new Cluster({ mode, size: 4 });
    half.settle();
    expect(new Voter(half, ['m1', 'm2']).ask('+1')).toMatch(/no majority/);
  });
});
