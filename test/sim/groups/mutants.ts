import type { Mode } from '../../../src/group/modes.ts';
import type { Patch } from '../mutant-copies.ts';

/** One deliberate bug of a replicated group. */
export interface GroupMutant {
  readonly name: string;
  readonly mode: Mode;
  readonly patches: readonly Patch[];
}

/** A leader takes itself for one as long as it has not heard otherwise. */
const WITHOUT_ROUND: Patch = { file: 'group/raft/reads.ts', find: 'this.#isAcknowledged(this.#pending[sure]!.round)) sure++;', replace: 'this.#pending[sure]!.round > 0) sure++;' };

const RAFT: readonly GroupMutant[] = [
  {
    name: 'reads without ReadIndex',
    mode: 'raft',
    patches: [{ file: 'group/raft/raft-replica.ts', find: 'if (isRead && request.isStale)', replace: 'if (isRead)' }],
  },
  {
    name: 'reads without the round of ReadIndex',
    mode: 'raft',
    patches: [WITHOUT_ROUND],
  },
  {
    name: 'no fsync of the log',
    mode: 'raft',
    patches: [{
      file: 'group/disk-storage.ts',
      find: "const bytes = encodeRecords(this.#pending.map(encodeLogRecord), this.#offset);\n    operations.push({ kind: 'write', file: LOG.file, offset: this.#offset, bytes }, { kind: 'sync', file: LOG.file });",
      replace: "const bytes = encodeRecords(this.#pending.map(encodeLogRecord), this.#offset);\n    operations.push({ kind: 'write', file: LOG.file, offset: this.#offset, bytes });",
    }],
  },
  {
    name: 'no session deduplication',
    mode: 'raft',
    patches: [{ file: 'group/service.ts', find: 'if (known !== undefined) return known;', replace: "if (known?.status === 'expired') return known;" }],
  },
  {
    name: 'double vote',
    mode: 'raft',
    patches: [
      { file: 'group/raft/election.ts', find: '(core.votedFor === undefined || core.votedFor === from)', replace: 'true' },
      { file: 'group/raft/raft-core.ts', find: 'this.#votedFor === NOBODY || this.#votedFor === candidate', replace: 'true' },
    ],
  },
  {
    name: 'duplicate votes counted',
    mode: 'raft',
    patches: [
      { file: 'group/raft/election.ts', find: 'this.#voters.add(from);', replace: 'this.#voters.add(`${from} ${this.#voters.size}`);' },
      {
        file: 'group/raft/election.ts',
        find: 'return isQuorum(this.#core.members, (id) => this.#voters.has(id));',
        replace: 'return isQuorum(this.#core.members, () => true) && this.#voters.size > this.#core.members.length / 2;',
      },
    ],
  },
  {
    name: 'commit of an old term by counting',
    mode: 'raft',
    patches: [{ file: 'group/raft/replication.ts', find: 'if (log.termAt(index) !== core.term) return;', replace: '' }],
  },
  {
    name: 'log of the candidate not compared',
    mode: 'raft',
    patches: [{ file: 'group/raft/election.ts', find: 'isFree && isUpToDate &&', replace: 'isFree && (isUpToDate || true) &&' }],
  },
  {
    name: 'no PreVote',
    mode: 'raft',
    patches: [{ file: 'group/raft/election.ts', find: 'if (this.#hasWon()) this.#campaign(now);\n', replace: 'if (now > -1) this.#campaign(now);\n' }],
  },
  {
    name: 'no CheckQuorum',
    mode: 'raft',
    patches: [{ file: 'group/raft/replication.ts', find: 'if (isQuorum(core.members, (id) => id === core.self.id || !this.isSilent(id, now))) return;', replace: 'if (now >= 0) return;' }],
  },
  {
    name: 'answer before the entry is with a majority',
    mode: 'raft',
    patches: [{
      file: 'group/raft/replication.ts',
      find: 'if (!isQuorum(core.members, (id) => (id === self.id ? this.#durableIndex : (this.#progress.get(id)?.match ?? 0)) >= index)) continue;',
      replace: 'if (this.#durableIndex < index || !isQuorum(core.members, (id) => id === self.id || true)) continue;',
    }],
  },
  {
    name: 'damaged last record cut off as if it were torn',
    mode: 'raft',
    patches: [{ file: 'group/record-file.ts', find: "return end('suspect');", replace: "return end('torn');" }],
  },
  {
    name: 'damaged record in the middle skipped',
    mode: 'raft',
    patches: [{
      file: 'group/record-file.ts',
      find: "if (next !== undefined) throw new CorruptLogError(file, position, `a damaged record, and a good one after it at ${next}`);",
      replace: "if (next !== undefined) return end('torn');",
    }],
  },
  {
    name: 'sessions left out of snapshots',
    mode: 'raft',
    patches: [{ file: 'group/service.ts', find: 'const sessions = this.#sessions.snapshot();', replace: 'const sessions = this.#sessions.snapshot().slice(0, 0);' }],
  },
];

const QUORUM: readonly GroupMutant[] = [
  {
    name: 'register: nothing is written back after a read',
    mode: 'quorum',
    patches: [{ file: 'group/quorum/quorum-client.ts', find: 'if (isHeld || isStale) {', replace: 'if (isHeld || isStale || pending.ticket > 0) {' }],
  },
  {
    name: 'register: half is a quorum',
    mode: 'quorum',
    patches: [{ file: 'group/quorum/quorum-client.ts', find: 'const majority = Math.floor(members / 2) + 1;', replace: 'const majority = Math.floor(members / 2);' }],
  },
  {
    name: 'register: no fsync of the log',
    mode: 'quorum',
    patches: [{
      file: 'group/disk-storage.ts',
      find: "const bytes = encodeRecords(this.#pending.map(encodeLogRecord), this.#offset);\n    operations.push({ kind: 'write', file: LOG.file, offset: this.#offset, bytes }, { kind: 'sync', file: LOG.file });",
      replace: "const bytes = encodeRecords(this.#pending.map(encodeLogRecord), this.#offset);\n    operations.push({ kind: 'write', file: LOG.file, offset: this.#offset, bytes });",
    }],
  },
  {
    name: 'register: a member without memory answers',
    mode: 'quorum',
    patches: [{ file: 'group/quorum/quorum-replica.ts', find: 'if (storage.isSuspect || !(this.#journal.isWhole || isFounder)) this.#recover();', replace: 'if (storage.isSuspect && !this.#journal.isWhole && isFounder) this.#recover();' }],
  },
];

const VIEWS: readonly GroupMutant[] = [
  {
    name: 'unfenced primary: timeouts alone say who leads',
    mode: 'primary-backup',
    patches: [{ file: 'sim/group/engines.ts', find: "fence: 'view-service',", replace: "fence: 'none'," }],
  },
  {
    name: 'primary answers before the operation is stable',
    mode: 'primary-backup',
    patches: [{ file: 'group/view/view-replica.ts', find: 'core.stabilize(this.#order.stableIndex(), now);', replace: 'core.stabilize(core.durableIndex, now);' }],
  },
  {
    name: 'primary reads without asking whether it still leads',
    mode: 'primary-backup',
    patches: [{ file: 'group/view/view-replica.ts', find: "if (readsHere && this.#options.fence === 'none')", replace: 'if (readsHere)' }],
  },
  {
    name: 'sequencer: answers before the operation is stable',
    mode: 'sequencer',
    patches: [{ file: 'group/view/view-replica.ts', find: 'core.stabilize(this.#order.stableIndex(), now);', replace: 'core.stabilize(core.durableIndex, now);' }],
  },
  {
    name: 'active: delivered before the timestamp is agreed',
    mode: 'active',
    patches: [{ file: 'group/view/view-replica.ts', find: 'core.stabilize(this.#agreed.stableIndex(), now);', replace: 'core.stabilize(core.durableIndex, now);' }],
  },
];

/** What the seeds have to find, without a test made for any of them. */
export const GROUP_MUTANTS: readonly GroupMutant[] = [...RAFT, ...QUORUM, ...VIEWS];

/** One deliberate bug that seeds hardly show, and the test that does. */
export interface HiddenMutant {
  readonly name: string;
  readonly patches: readonly Patch[];
  /** Below test/. */
  readonly file: string;
  readonly test: string;
}

export const HIDDEN_MUTANTS: readonly HiddenMutant[] = [
  {
    name: 'raft: ReadIndex without its round',
    patches: [WITHOUT_ROUND],
    file: 'group/conformance/ordered-modes.test.ts',
    test: 'a member that sleeps while it is cut off, and is asked before it knows that it has slept, never reads the past',
  },
  {
    name: 'raft: a vote is forgotten over a restart',
    patches: [{ file: 'group/raft/raft-core.ts', find: 'this.#votedFor = reader.text(0xffff);', replace: 'this.#votedFor = reader.text(0xffff).slice(0, 0);' }],
    file: 'group/raft/election.test.ts',
    test: 'a member votes once in a term, also when it crashed in between',
  },
  {
    name: 'views: one in which nobody stays',
    patches: [{ file: 'group/view/view-machine.ts', find: 'return this.#view.number === 0 || members.some(({ id }) => isIn(this.#view, id));', replace: 'return true;' }],
    file: 'group/view/view-machine.test.ts',
    test: 'somebody has to stay',
  },
  {
    name: 'sequencer: says what is stable to a member that was not sent so much yet',
    patches: [{ file: 'group/view/leader-order.ts', find: 'follower.told < Math.min(this.#core.stableIndex, follower.next - 1)', replace: 'follower.told < this.#core.stableIndex' }],
    file: 'group/view/load.test.ts',
    test: 'sequencer: is brought up to date, and nobody says the same without end',
  },
];
