/**
 * The Internet checksum (RFC 1071): the one's complement of the one's complement sum of 16-bit big-endian words.
 * Used by the conversion to plain TCP/IP packets only; segments on our wire are checked by CRC-32.
 */

/**
 * Adds the words of bytes[start, end) to `sum`; an odd last byte counts as the high half of a word. The sum is not folded:
 * it stays exact for far more than the 65,535 bytes of an IP packet.
 */
export function addWords(sum: number, bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  for (; at + 1 < end; at += 2) sum += (bytes[at]! << 8) | bytes[at + 1]!;
  if (at < end) sum += bytes[at]! << 8;
  return sum;
}

/** The checksum of an unfolded sum, in [0, 0xffff]. Over data that includes its right checksum it is 0. */
export function foldChecksum(sum: number): number {
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}
