/** The ways in which a group can be organised. */
export const MODES = ['raft', 'primary-backup', 'sequencer', 'active', 'quorum'] as const;
export type Mode = (typeof MODES)[number];

export interface ModeTraits {
  /** Whom clients ask: the one who orders, or everybody. */
  readonly asks: 'leader' | 'all';
  /** Whether the members agree on who is in the group with the help of a view service. */
  readonly hasViews: boolean;
  /** Whether operations have an order: without one, there is only get and put. */
  readonly isOrdered: boolean;
  /** Whether membership can change. */
  readonly canGrow: boolean;
}

const TRAITS: Readonly<Record<Mode, ModeTraits>> = {
  raft: { asks: 'leader', hasViews: false, isOrdered: true, canGrow: true },
  'primary-backup': { asks: 'leader', hasViews: true, isOrdered: true, canGrow: true },
  sequencer: { asks: 'all', hasViews: true, isOrdered: true, canGrow: true },
  active: { asks: 'all', hasViews: true, isOrdered: true, canGrow: true },
  quorum: { asks: 'all', hasViews: false, isOrdered: false, canGrow: false },
};

export function traitsOf(mode: Mode): ModeTraits {
  return TRAITS[mode];
}

/** Equal answers that make one of n members' right, if fewer than half of them lie: ⌊n/2⌋ + 1. */
export function majorityOf(members: number): number {
  return Math.floor(members / 2) + 1;
}
