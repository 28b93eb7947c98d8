import { describe, expect, it } from 'vitest';

import { createRandom } from '../../src/core/random.ts';
import { decodeText, encodeText } from '../../src/group/byte-codec.ts';
import { FaultyReplica, makeFaulty, parseFault, parseFaultyMember } from '../../src/group/faulty.ts';
import { kvReply, readKvReply, type KvResult } from '../../src/group/kv/kv-result.ts';
import { kvLie, quorumForgery, quorumLie, type Lies } from '../../src/group/lies.ts';
import type { ReplyMessage, Request } from '../../src/group/message.ts';
import { decodeQuorumAnswer, encodeQuorumAnswer } from '../../src/group/quorum/quorum-operation.ts';
import type { Envelope, Ready, Replica, ReplicaStatus } from '../../src/group/replica.ts';
import type { Reply } from '../../src/group/state-machine.ts';

const NOTHING = new Uint8Array(0);

/** Answers each request with what it says, and tells two others. */
class EchoReplica implements Replica {
  proposals = 0;
  #replies: ReplyMessage[] = [];
  step(): void {}
  propose({ clientId, serial, operation }: Request): void {
    this.proposals++;
    this.#replies.push({ kind: 'reply', memberId: 'm', clientId, serial, reply: { status: 'ok', offset: 0, digest: NOTHING, body: operation } });
  }
  peers(): [] {
    return [];
  }
  peerLost(): void {}
  status(): ReplicaStatus {
    return {
      id: 'm', mode: 'echo', role: 'member', term: 0, leader: undefined, lastIndex: 0, commitIndex: 0, appliedIndex: 0, digest: '', members: [], suspected: [],
      counters: {}, problem: undefined,
    };
  }
  nextTimeout(): number {
    return Infinity;
  }
  handleTimeout(): void {
    throw new Error('it never asked for that');
  }
  takeReady(): Ready | undefined {
    if (this.#replies.length === 0) return undefined;
    const replies = this.#replies;
    this.#replies = [];
    const messages: Envelope[] = ['a', 'b'].map((to) => ({ to, body: Uint8Array.of(1) }));
    return { persist: [{ kind: 'sync', file: 'log' }], messages, committed: [], replies, role: 'member' };
  }
  persistFailed(): void {}
}

function faulty(text: string, member = 1, lies?: Lies): { replica: FaultyReplica; echo: EchoReplica } {
  const echo = new EchoReplica();
  return { echo, replica: makeFaulty(echo, parseFault(text), member, createRandom(5), lies) };
}

function ask(replica: Replica, serial: number, text: string, now = 0): void {
  replica.propose({ kind: 'request', clientId: 'c', serial, acknowledged: 0, isStale: false, operation: encodeText(text, 100) }, now);
}

function answerOf(text: string, member: number, question: string, serial = 1): string {
  const { replica } = faulty(text, member);
  ask(replica, serial, question);
  return decodeText(replica.takeReady()!.replies[0]!.reply.body);
}

describe('a faulty member', () => {
  it('that colludes tells the lie that all tell, whatever the serial; the independent tell another one each', () => {
    expect(answerOf('wrong-value', 1, 'value')).not.toBe('value');
    expect(answerOf('wrong-value', 1, 'value')).toBe(answerOf('wrong-value', 4, 'value', 9));
    const independent = new Set([1, 2, 3, 4, 5, 6, 7].map((member) => answerOf('wrong-value:independent', member, 'value')));
    expect(independent.size).toBe(7);
    expect(independent).not.toContain('value');
  });

  it('lies to clients only, unless it is two-faced and knows how', () => {
    const differ: Lies = { message: (body, role) => [body, encodeText(role, 10)] };
    const told = (text: string, lies?: Lies): string[] => {
      const { replica } = faulty(text, 1, lies);
      ask(replica, 1, 'value');
      const ready = replica.takeReady()!;
      expect(ready.persist).toHaveLength(1);
      expect(decodeText(ready.replies[0]!.reply.body)).not.toBe('value');
      return ready.messages.map(({ body }) => body.join());
    };
    expect(told('wrong-value', differ)).toEqual(['1', '1']);
    // The first of the others hears the truth, the second a lie behind it.
    expect(told('two-faced', differ)).toEqual(['1', '1', encodeText('member', 10).join()]);
    expect(told('two-faced')).toEqual(['1', '1']);
  });

  it('has nothing to lie about when there is no content, or it was given another lie to tell', () => {
    expect(answerOf('wrong-value', 1, '')).toBe('');
    const { replica } = faulty('wrong-value', 1, { reply: (reply) => ({ ...reply, offset: 77 }) });
    ask(replica, 1, '');
    expect(replica.takeReady()!.replies[0]!.reply.offset).toBe(77);
    expect(replica.lies).toBe(1);
  });

  it('that drops requests does not do them; one that drops replies does', () => {
    const requests = faulty('drops-requests');
    ask(requests.replica, 1, 'x');
    expect([requests.echo.proposals, requests.replica.takeReady(), requests.replica.dropped]).toEqual([0, undefined, 1]);
    const replies = faulty('drops-replies');
    ask(replies.replica, 1, 'x');
    expect(replies.replica.takeReady()).toMatchObject({ persist: [{}], messages: [{}, {}], replies: [] });
    const some = faulty('drops-replies:50%');
    for (let serial = 1; serial <= 100; serial++) ask(some.replica, serial, 'x');
    const kept = some.replica.takeReady()!.replies.length;
    expect(kept).toBeGreaterThan(30);
    expect(kept).toBeLessThan(70);
  });

  it('that is slow answers late, in order, and says to the others at once what it has to say', () => {
    const { replica } = faulty('slow:200ms');
    ask(replica, 1, 'x', 1000);
    ask(replica, 2, 'y', 1000);
    expect(replica.takeReady()).toMatchObject({ messages: [{}, {}], replies: [] });
    expect(replica.nextTimeout()).toBe(1200);
    replica.handleTimeout(1199);
    expect(replica.takeReady()).toBeUndefined();
    replica.handleTimeout(1200);
    expect(replica.takeReady()).toMatchObject({ persist: [], replies: [{ serial: 1 }, { serial: 2 }] });
    expect(replica.nextTimeout()).toBe(Infinity);
    ask(replica, 3, 'z', 1300);
    replica.takeReady();
    replica.persistFailed('full', 1301);
    expect(replica.nextTimeout()).toBe(Infinity);
  });
});

describe('lies', () => {
  const ok = (body: Uint8Array): Reply => ({ status: 'ok', offset: 0, digest: NOTHING, body });

  it('of the key-value store are results of the same kind, and never the right one', () => {
    const value = encodeText('abc', 10);
    const told = (result: KvResult, lie: number): KvResult | string => readKvReply(kvLie(kvReply(result), lie));
    for (const lie of [0, 1, 5, 60]) {
      expect(told({ kind: 'value', value }, lie)).toMatchObject({ kind: 'value', value: { length: 3 } });
      expect(told({ kind: 'value', value }, lie)).not.toEqual({ kind: 'value', value });
      expect(told({ kind: 'value', value: NOTHING }, lie)).not.toEqual({ kind: 'value', value: NOTHING });
      expect(told({ kind: 'absent' }, lie)).toMatchObject({ kind: 'value' });
      expect(told({ kind: 'truth', value: true }, lie)).toEqual({ kind: 'truth', value: false });
      expect(told({ kind: 'length', bytes: 7 }, lie)).not.toEqual({ kind: 'length', bytes: 7 });
    }
    const done = kvReply({ kind: 'done' });
    expect(kvLie(done, 3)).toBe(done);
    const refused: Reply = { ...kvReply({ kind: 'absent' }), status: 'refused' };
    expect(kvLie(refused, 3)).toBe(refused);
  });

  it('of a quorum register keep the tag: one liar of three is believed', () => {
    const tag = { counter: 3, clientId: 'x', number: 1 };
    const right = ok(encodeQuorumAnswer(1, [1, 1, 1], tag, encodeText('abc', 10)));
    const wrong = decodeQuorumAnswer(quorumLie(3)(right, 4).body, 3)!;
    expect(wrong).toMatchObject({ seat: 1, tag });
    expect(decodeText(wrong.value)).toMatch(/^ab[^c]$/);
    const unwritten = ok(encodeQuorumAnswer(1, [1, 1, 1]));
    expect(quorumLie(3)(unwritten, 4)).toBe(unwritten);
  });

  it('of a two-faced member of a quorum register have a newer tag, and each reader hears another', () => {
    const right = ok(encodeQuorumAnswer(1, [1, 1, 1], { counter: 3, clientId: 'x', number: 1 }, encodeText('abc', 10)));
    const [one, other] = [4, 5].map((lie) => decodeQuorumAnswer(quorumForgery(3)(right, lie).body, 3)!);
    expect(one!.tag.counter).toBeGreaterThan(3);
    expect(other!.tag.counter).not.toBe(one!.tag.counter);
    expect(decodeText(other!.value)).not.toBe(decodeText(one!.value));
  });

  it('to clients: a two-faced member tells each another, and all two-faced members the same to one', () => {
    const answer = (clientId: string, member: number): string => {
      const { replica } = faulty('two-faced', member);
      replica.propose({ kind: 'request', clientId, serial: 1, acknowledged: 0, isStale: false, operation: encodeText('value', 10) }, 0);
      return decodeText(replica.takeReady()!.replies[0]!.reply.body);
    };
    expect(answer('#1', 1)).not.toBe(answer('#2', 1));
    expect(answer('#1', 1)).toBe(answer('#1', 2));
  });
});

describe('the words for faults', () => {
  it('are read', () => {
    expect(parseFaultyMember('2:wrong-value', 3)).toEqual({ member: 2, fault: { kind: 'wrong-value', isColluding: true, probability: 1, delayMs: 500 } });
    expect(parseFaultyMember('3:slow:2s', 3).fault.delayMs).toBe(2000);
    expect(parseFault('two-faced:independent').isColluding).toBe(false);
  });

  it.each(['', 'wrong', 'wrong-value:maybe', 'slow:fast', 'drops-replies:200%', 'slow:1s:2s', 'two-faced:50%'])('are refused: %s', (text) => {
    expect(() => parseFault(text)).toThrow(/is not a/);
  });

  it.each(['wrong-value', '0:slow', '4:slow', 'x:slow', '1:'])('need a member that there is: %s', (text) => expect(() => parseFaultyMember(text, 3)).toThrow(/member from 1 to 3/));
});
