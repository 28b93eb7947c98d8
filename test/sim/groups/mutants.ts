import type { Mode } from '../../../src/group/modes.ts';

/** The text `find`, which stands exactly once in `file`, becomes `replace`. */
export interface Patch {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** One deliberate bug of a replicated group. */
export interface GroupMutant {
  readonly name: string;
  readonly mode: Mode;
  readonly patches: readonly Patch[];
  /** Only with FAILMASK_ALL_MUTANTS set: the suite has to end in minutes. */
  readonly isFurther?: true;
}

const RAFT: readonly GroupMutant[] = [
  {
    name: 'reads without ReadIndex',
    mode: 'raft',
    patches: [{ file: 'group/raft/raft-replica.ts', find: 'if (isRead && request.isStale)', replace: 'if (isRead)' }],
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
    isFurther: true,
    mode: 'raft',
    patches: [{ file: 'group/service.ts', find: 'const sessions = this.#sessions.snapshot();', replace: 'const sessions = this.#sessions.snapshot().slice(0, 0);' }],
  },
];

const QUORUM: readonly GroupMutant[] = [
  {
    name: 'register: nothing is written back after a read',
    isFurther: true,
    mode: 'quorum',
    patches: [{ file: 'group/quorum/quorum-client.ts', find: 'if (isHeld || isStale) {', replace: 'if (isHeld || isStale || pending.ticket > 0) {' }],
  },
  {
    name: 'register: half is a quorum',
    isFurther: true,
    mode: 'quorum',
    patches: [{ file: 'group/quorum/quorum-client.ts', find: 'const majority = Math.floor(members / 2) + 1;', replace: 'const majority = Math.floor(members / 2);' }],
  },
  {
    name: 'register: no fsync of the log',
    isFurther: true,
    mode: 'quorum',
    patches: [{
      file: 'group/disk-storage.ts',
      find: "const bytes = encodeRecords(this.#pending.map(encodeLogRecord), this.#offset);\n    operations.push({ kind: 'write', file: LOG.file, offset: this.#offset, bytes }, { kind: 'sync', file: LOG.file });",
      replace: "const bytes = encodeRecords(this.#pending.map(encodeLogRecord), this.#offset);\n    operations.push({ kind: 'write', file: LOG.file, offset: this.#offset, bytes });",
    }],
  },
  {
    name: 'register: a member without memory answers',
    isFurther: true,
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
    isFurther: true,
    mode: 'primary-backup',
    patches: [{ file: 'group/view/view-replica.ts', find: "if (readsHere && this.#options.fence === 'none')", replace: 'if (readsHere)' }],
  },
  {
    name: 'sequencer: answers before the operation is stable',
    isFurther: true,
    mode: 'sequencer',
    patches: [{ file: 'group/view/view-replica.ts', find: 'core.stabilize(this.#order.stableIndex(), now);', replace: 'core.stabilize(core.durableIndex, now);' }],
  },
  {
    name: 'active: delivered before the timestamp is agreed',
    isFurther: true,
    mode: 'active',
    patches: [{ file: 'group/view/view-replica.ts', find: 'core.stabilize(this.#agreed.stableIndex(), now);', replace: 'core.stabilize(core.durableIndex, now);' }],
  },
];

/** What the seeds have to find, without a test made for any of them. */
export const GROUP_MUTANTS: readonly GroupMutant[] = [...RAFT, ...QUORUM, ...VIEWS];
