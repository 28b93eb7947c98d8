import { MODES, type Mode } from '../../../src/group/modes.ts';

/** Modes whose seeds are run. */
export const GROUP_MODES: readonly Mode[] = MODES;
