/** The states of RFC 9293, 3.3.2. LISTEN is the endpoint's: a listening endpoint has no connection yet. */
export const CLOSED = 0;
export const SYN_SENT = 1;
export const SYN_RECEIVED = 2;
export const ESTABLISHED = 3;
export const FIN_WAIT_1 = 4;
export const FIN_WAIT_2 = 5;
export const CLOSE_WAIT = 6;
export const CLOSING = 7;
export const LAST_ACK = 8;
export const TIME_WAIT = 9;

export type State = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;

export const STATE_NAMES = [
  'CLOSED', 'SYN-SENT', 'SYN-RECEIVED', 'ESTABLISHED', 'FIN-WAIT-1', 'FIN-WAIT-2', 'CLOSE-WAIT', 'CLOSING', 'LAST-ACK', 'TIME-WAIT',
] as const;

/** Legal moves, figure 5 of RFC 9293. Every state may fall to CLOSED (reset, abort, timeout). */
const NEXT: readonly (readonly State[])[] = [
  [SYN_SENT, SYN_RECEIVED],
  [SYN_RECEIVED, ESTABLISHED],
  [ESTABLISHED],
  [FIN_WAIT_1, CLOSE_WAIT],
  [FIN_WAIT_2, CLOSING, TIME_WAIT],
  [TIME_WAIT],
  [LAST_ACK],
  [TIME_WAIT],
  [],
  [],
];

export function isLegalTransition(from: State, to: State): boolean {
  return to === CLOSED ? from !== CLOSED : NEXT[from]!.includes(to);
}

/** The handshake is complete: both sides have acknowledged each other's SYN. */
export function isSynchronized(state: State): boolean {
  return state >= ESTABLISHED;
}

/** Segment text and FIN are still expected from the peer. */
export function canReceive(state: State): boolean {
  return state === ESTABLISHED || state === FIN_WAIT_1 || state === FIN_WAIT_2;
}
