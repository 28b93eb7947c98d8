/** The ways in which a group can be organised. */
export const MODES = ['raft', 'primary-backup', 'sequencer', 'active', 'quorum'] as const;
export type Mode = (typeof MODES)[number];

export interface ModeTraits {
  /** Whom clients ask: the one who orders, or everybody. */
  readonly asks: 'leader' | 'all';
  /** Whether one member decides the order; without one, there is nobody to elect. */
  readonly hasLeader: boolean;
  /** Whether the members agree on who is in the group with the help of a view service. */
  readonly hasViews: boolean;
  /** Whether operations have an order: without one, there is only get and put. */
  readonly isOrdered: boolean;
  /** Whether membership can change. */
  readonly canGrow: boolean;
  /**
   * How many members have to go on. `one`: a survivor has everything, and nobody lies. `majority`: of those who have a vote now. `votes`: as many as
   * clients want equal answers from, a majority of the group however many have been left out of its view.
   */
  readonly needs: 'one' | 'majority' | 'votes';
}

const TRAITS: Readonly<Record<Mode, ModeTraits>> = {
  raft: { asks: 'leader', hasLeader: true, hasViews: false, isOrdered: true, canGrow: true, needs: 'majority' },
  'primary-backup': { asks: 'leader', hasLeader: true, hasViews: true, isOrdered: true, canGrow: true, needs: 'one' },
  sequencer: { asks: 'all', hasLeader: true, hasViews: true, isOrdered: true, canGrow: true, needs: 'votes' },
  active: { asks: 'all', hasLeader: false, hasViews: true, isOrdered: true, canGrow: true, needs: 'votes' },
  quorum: { asks: 'all', hasLeader: false, hasViews: false, isOrdered: false, canGrow: false, needs: 'majority' },
};

export function traitsOf(mode: Mode): ModeTraits {
  return TRAITS[mode];
}

/** Equal answers that make one of n members' right, if fewer than half of them lie: ⌊n/2⌋ + 1. */
export function majorityOf(members: number): number {
  return Math.floor(members / 2) + 1;
}

/** Members of n that a group of this mode needs to go on: n minus the crashes that it masks. */
export function neededOf(mode: Mode, members: number): number {
  return traitsOf(mode).needs === 'one' ? 1 : majorityOf(members);
}
