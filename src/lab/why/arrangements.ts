import { TimeoutDetector, PerfectDetector, type Detector } from '../../group/detector.ts';
import { openStorage } from '../../group/disk-storage.ts';
import { KvMachine } from '../../group/kv/kv-machine.ts';
import { MODES, type Mode } from '../../group/modes.ts';
import type { Peer } from '../../group/replica.ts';
import { Service } from '../../group/service.ts';
import { ViewReplica, type ViewMode } from '../../group/view/view-replica.ts';
import { addressOf, type Beginning, type SimReplica } from '../../sim/group/member-place.ts';

/** Primary-backup without a fence, whose members are told who is dead, at once and rightly: first-stable answers with a perfect detector. */
export const PERFECT = 'primary-backup:perfect-detector';

/** How a group is organised, in the experiments. */
export const ARRANGEMENTS = [...MODES, PERFECT] as const;
export type Arrangement = (typeof ARRANGEMENTS)[number];

export function modeOf(arrangement: Arrangement): Mode {
  return arrangement === PERFECT ? 'primary-backup' : arrangement;
}

export function founders(members: number): Peer[] {
  return Array.from({ length: members }, (_, i) => ({ id: `m${i}`, address: addressOf(`m${i}`) }));
}

export interface UnfencedOptions {
  readonly mode: ViewMode;
  readonly members: number;
  /** Knows who is dead; undefined: members go by silence. */
  readonly isDead?: ((peer: string) => boolean) | undefined;
  readonly machine?: (() => KvMachine) | undefined;
}

/** A member of a group with views that asks nobody outside whether it may go on. */
export function unfencedMember({ mode, members, isDead, machine = () => new KvMachine() }: UnfencedOptions, { self, read, random, now, sink }: Beginning): SimReplica {
  const detector: Detector = isDead === undefined ? new TimeoutDetector({ heartbeatMs: 50, minTimeoutMs: 300, maxTimeoutMs: 1000 }) : new PerfectDetector(isDead);
  return new ViewReplica({
    self, mode, fence: 'none', bootstrap: founders(members), viewServers: [], service: new Service(machine()), storage: openStorage(read), random, now, sink, detector,
  });
}
