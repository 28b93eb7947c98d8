import type { Mode } from '../../group/modes.ts';

/** A number that depends on how many members there are. */
export interface Formula {
  readonly text: string;
  of(members: number): number;
}

/** What is to be expected of a mode. Costs are those of a quiet group of n members whose clients talk to them without a balancer. */
export interface ModeFacts {
  readonly messagesPerPut: Formula;
  readonly messagesPerGet: Formula;
  /** Messages one after the other until the client believes an answer, whatever n is; two are a round trip. */
  readonly delaysPerPut: number;
  readonly delaysPerGet: number;
  /** Files synced for one put, at all members together. */
  readonly syncsPerPut: Formula;
  /** Who decides: a leader, or all alike (Tanenbaum & van Steen, section 8.2). */
  readonly group: 'hierarchical' | 'flat';
  /** Who carries a write out: a primary, which coordinates all of them, and tells the others; or all, each on its own. */
  readonly protocol: 'primary-copy' | 'replicated-write';
  readonly tolerates: string;
  readonly assumes: string;
}

const EACH: Formula = { text: 'n', of: (n) => n };
/** Request and reply; from the leader to each other member, and back. */
const LEADER: Formula = { text: '2n', of: (n) => 2 * n };
/** n requests, n − 1 places in the order, acknowledged, and said to be stable; n replies. */
const SEQUENCER: Formula = { text: '5n − 3', of: (n) => 5 * n - 3 };
/** n requests, n − 1 submissions, proposals, and final stamps; each tells each other that it is on disk; n replies. */
const ACTIVE: Formula = { text: 'n² + 4n − 3', of: (n) => n * n + 4 * n - 3 };
/** A question to all, and their answers; one such phase asks for the newest tag, the other writes. */
const PHASE: Formula = { text: '2n', of: (n) => 2 * n };
const TWO_PHASES: Formula = { text: '4n', of: (n) => 4 * n };

export const MODE_FACTS: Readonly<Record<Mode, ModeFacts>> = {
  raft: {
    messagesPerPut: LEADER, messagesPerGet: LEADER, delaysPerPut: 4, delaysPerGet: 4, syncsPerPut: EACH,
    group: 'hierarchical', protocol: 'primary-copy',
    tolerates: 'k crashes of 2k+1', assumes: 'a majority is up and connected; no lies',
  },
  'primary-backup': {
    messagesPerPut: LEADER, messagesPerGet: LEADER, delaysPerPut: 4, delaysPerGet: 4, syncsPerPut: EACH,
    group: 'hierarchical', protocol: 'primary-copy',
    tolerates: 'k crashes of k+1', assumes: 'a majority of the view service; no lies',
  },
  sequencer: {
    messagesPerPut: SEQUENCER, messagesPerGet: SEQUENCER, delaysPerPut: 5, delaysPerGet: 5, syncsPerPut: EACH,
    group: 'hierarchical', protocol: 'replicated-write',
    tolerates: 'k crashes, or k that lie to clients, of 2k+1', assumes: 'a majority of the view service; the leader orders truly',
  },
  active: {
    messagesPerPut: ACTIVE, messagesPerGet: ACTIVE, delaysPerPut: 6, delaysPerGet: 6, syncsPerPut: EACH,
    group: 'flat', protocol: 'replicated-write',
    tolerates: 'k crashes, or k that lie to clients, of 2k+1', assumes: 'a majority of the view service; no lies among members',
  },
  quorum: {
    messagesPerPut: TWO_PHASES, messagesPerGet: PHASE, delaysPerPut: 4, delaysPerGet: 2, syncsPerPut: EACH,
    group: 'flat', protocol: 'replicated-write',
    tolerates: 'k crashes of 2k+1', assumes: 'a majority can be reached; no lies; a register: get and put only',
  },
};
