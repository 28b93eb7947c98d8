import type { Mode } from '../../src/group/modes.ts';
import type { FaultKind } from './faults.ts';

/** refused: the checker must find the history impossible. unnoticed: and nobody in the group, nor any client, may have noticed. */
export const EXPECTATIONS = ['linearizable', 'refused', 'unnoticed'] as const;
export type Expectation = (typeof EXPECTATIONS)[number];

export interface Procedure {
  readonly mode: Mode;
  readonly size: number;
  readonly seconds: number;
  /** Between the beginnings of two faults. */
  readonly everySeconds: number;
  /** Of a fault; then it is undone. */
  readonly lastSeconds: number;
  readonly faults: readonly FaultKind[];
  /** On every link, in tc-netem's words; undefined: links are direct and cannot be cut. */
  readonly proxy: string | undefined;
  readonly fence: 'view-service' | 'none';
  readonly read: 'linearizable' | 'local';
  /** As in `group up --faulty`. */
  readonly faulty: readonly string[];
  readonly replaceAfter: string | undefined;
  /** Partitions cut the links to balancers, too. */
  readonly cutsClients: boolean;
  /** A fault waits until the group has recovered from the one before. */
  readonly isOneAtATime: boolean;
  readonly clients: number;
  readonly seed: number;
  /** Operations that must be answered. */
  readonly answers: number;
  readonly expect: Expectation;
}

export const DEFAULT_PROCEDURE: Procedure = {
  mode: 'raft', size: 5, seconds: 60, everySeconds: 5, lastSeconds: 3, faults: ['kill', 'pause', 'partition', 'one-way', 'balancer'], proxy: 'loss 10% delay 5ms',
  fence: 'view-service', read: 'linearizable', faulty: [], replaceAfter: undefined, cutsClients: false, isOneAtATime: false, clients: 8, seed: 1, answers: 1, expect: 'linearizable',
};

const LINKS_CUT: readonly FaultKind[] = ['kill', 'pause', 'partition', 'deaf', 'mute'];

/** What the group has to stand, and what it must not seem to, by name. */
export const PROCEDURES: Readonly<Record<string, Partial<Procedure>>> = {
  'raft, with loss': { answers: 5000 },
  'raft, without loss': { proxy: 'limit 1000', answers: 20_000 },
  'raft, members replaced': { faults: ['crash', 'freeze'], replaceAfter: '500ms', isOneAtATime: true, everySeconds: 10, lastSeconds: 8 },
  'raft, local reads': { read: 'local', seconds: 30, expect: 'refused' },
  'primary-backup': { mode: 'primary-backup', size: 3, faults: ['kill'], isOneAtATime: true },
  'primary-backup, pauses': { mode: 'primary-backup', size: 3, faults: ['pause'], seconds: 30 },
  'primary-backup, pauses, no fence': { mode: 'primary-backup', size: 3, faults: ['pause'], seconds: 30, fence: 'none', expect: 'refused' },
  'primary-backup, one way': { mode: 'primary-backup', size: 3, faults: ['deaf', 'mute'], isOneAtATime: true, everySeconds: 15, lastSeconds: 11 },
  sequencer: { mode: 'sequencer', faults: LINKS_CUT },
  quorum: { mode: 'quorum', faults: LINKS_CUT },
  'active, one liar': { mode: 'active', faulty: ['2:wrong-value'], faults: ['kill'], isOneAtATime: true },
  'active, two liars': { mode: 'active', faulty: ['2:wrong-value', '4:wrong-value'], faults: [], seconds: 20 },
  'active, three liars': { mode: 'active', faulty: ['1:wrong-value', '2:wrong-value', '3:wrong-value'], faults: [], seconds: 20, expect: 'unnoticed' },
};
