import type { ReplyMessage, Request } from '../../src/group/message.ts';
import type { Envelope, Errand, Peer, Ready, Replica, ReplicaId, ReplicaStatus } from '../../src/group/replica.ts';

/** A replica that says what the test tells it to, and remembers what it hears. */
export class ScriptedReplica implements Replica {
  readonly id: ReplicaId;
  wanted: Peer[] = [];
  readonly heard: string[] = [];
  readonly requests: Request[] = [];
  readonly answers: ReplyMessage[] = [];
  readonly lost: ReplicaId[] = [];
  messages: Envelope[] = [];
  errands: Errand[] = [];
  replies: ReplyMessage[] = [];

  constructor(id: ReplicaId) {
    this.id = id;
  }

  say(to: ReplicaId, text: string): void {
    this.messages.push({ to, body: new TextEncoder().encode(text) });
  }

  step(from: ReplicaId, body: Uint8Array): void {
    this.heard.push(`${from}: ${new TextDecoder().decode(body)}`);
  }

  propose(request: Request): void {
    this.requests.push(request);
  }

  peers(): readonly Peer[] {
    return this.wanted;
  }

  peerLost(peer: ReplicaId): void {
    this.lost.push(peer);
  }

  answered(reply: ReplyMessage): void {
    this.answers.push(reply);
  }

  status(): ReplicaStatus {
    return {
      id: this.id, mode: 'scripted', role: 'member', term: 0, leader: undefined, lastIndex: 0, commitIndex: 0, appliedIndex: 0, digest: '', members: [],
      suspected: [], counters: {}, problem: undefined,
    };
  }

  nextTimeout(): number {
    return Infinity;
  }

  handleTimeout(): void {}

  takeReady(): Ready | undefined {
    if (this.messages.length + this.errands.length + this.replies.length === 0) return undefined;
    const ready: Ready = { persist: [], messages: this.messages, committed: [], replies: this.replies, errands: this.errands, role: 'member' };
    this.messages = [];
    this.errands = [];
    this.replies = [];
    return ready;
  }

  persistFailed(): void {}
}
