import { dataStart } from '../wire/tcp-ip.ts';

const FIRST_OPTION = 12;
const END_OF_OPTIONS = 0;
const NO_OPERATION = 1;
const SACK = 5;
const SACK_BLOCK_BYTES = 8;

/** Lengths of the options that have just one (RFC 9293, 7323, 2018). */
const FIXED_LENGTHS: ReadonlyMap<number, number> = new Map([
  [2, 4],
  [3, 3],
  [4, 2],
  [8, 10],
]);

/** SCPS (two kinds), Multipath TCP and Riverbed probes: tshark reads inside them and calls what it does not expect malformed. */
const DEEPLY_DISSECTED: ReadonlySet<number> = new Set([20, 21, 30, 76]);

/**
 * Why a packet dissector would call this datagram malformed if it were written as TCP; undefined when it would not. Garbage, and
 * headers that a link corrupted on purpose, must not spoil a capture.
 */
export function unreadableReason(udpPayload: Uint8Array): string | undefined {
  const end = dataStart(udpPayload);
  if (end === undefined) return 'not a TCP segment: too short, or its data offset is wrong';
  for (let at = FIRST_OPTION; at < end; ) {
    const kind = udpPayload[at]!;
    if (kind === END_OF_OPTIONS) return undefined;
    if (kind === NO_OPERATION) {
      at++;
      continue;
    }
    const length = at + 1 < end ? udpPayload[at + 1]! : 0;
    if (length < 2 || at + length > end) return `not shown as TCP: the length of option ${kind} is wrong`;
    const reason = unreadableOption(kind, length);
    if (reason !== undefined) return reason;
    at += length;
  }
  return undefined;
}

function unreadableOption(kind: number, length: number): string | undefined {
  const fixedLength = FIXED_LENGTHS.get(kind);
  const isWrong = kind === SACK ? length < 2 + SACK_BLOCK_BYTES || (length - 2) % SACK_BLOCK_BYTES !== 0 : fixedLength !== undefined && length !== fixedLength;
  if (isWrong) return `not shown as TCP: option ${kind} cannot have ${length} bytes`;
  return DEEPLY_DISSECTED.has(kind) ? `not shown as TCP: option ${kind} is not one that a dissector can read here` : undefined;
}
