/** What a link did to one offered datagram: a set of the bits below, as several things may befall one datagram. */
export type Fate = number;

/** At least one copy goes on, now or later. */
export const FATE_DELIVERED = 1;
/** The original is lost, by chance or by an exact drop. With DELIVERED too: its duplicate survives. */
export const FATE_LOST = 2;
export const FATE_DUPLICATED = 4;
/** A bit of a copy was flipped. */
export const FATE_CORRUPTED = 8;
/** A copy overtakes the delay of others. */
export const FATE_REORDERED = 16;
/** A copy found the queue full. */
export const FATE_QUEUE_FULL = 32;
export const FATE_BLACKHOLED = 64;
export const FATE_TOO_BIG = 128;

const NAMES: readonly (readonly [number, string])[] = [
  [FATE_BLACKHOLED, 'blackholed'],
  [FATE_TOO_BIG, 'too-big'],
  [FATE_LOST, 'lost'],
  [FATE_DUPLICATED, 'duplicated'],
  [FATE_CORRUPTED, 'corrupted'],
  [FATE_REORDERED, 'reordered'],
  [FATE_QUEUE_FULL, 'queue-full'],
];

/** `delivered`, or what befell the datagram: `lost`, `duplicated+corrupted`. */
export function formatFate(fate: Fate): string {
  if (fate === FATE_DELIVERED) return 'delivered';
  return NAMES.filter(([bit]) => (fate & bit) !== 0).map(([, name]) => name).join('+');
}
