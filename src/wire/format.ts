import { ABSENT, ACK, CWR, ECE, FIN, PSH, RST, SYN, URG, type Segment } from './segment.ts';
import { seqAdd, seqDiff, type Seq } from './sequence.ts';

const FLAG_LETTERS: readonly (readonly [number, string])[] = [
  [SYN, 'S'], [FIN, 'F'], [RST, 'R'], [PSH, 'P'], [URG, 'U'], [ECE, 'E'], [CWR, 'W'], [ACK, '.'],
];

/** Flags as tcpdump writes them: S, F, R, P, . for ACK. */
export function formatFlags(flags: number): string {
  let text = '';
  for (const [flag, letter] of FLAG_LETTERS) if ((flags & flag) !== 0) text += letter;
  return text === '' ? 'none' : text;
}

/**
 * One line, after tcpdump: `P. seq 1:1421 ack 1 win 512 <sack 2841:4261,crc>`. With the initial sequence numbers of
 * both directions given, numbers are relative to them.
 */
export function formatSegment(segment: Segment, seqBase: Seq = 0, ackBase: Seq = 0): string {
  const seq = seqAdd(segment.seq, -seqBase);
  let text = `${formatFlags(segment.flags)} seq ${seq}`;
  if (segment.length > 0) text += `:${seqAdd(seq, segment.length)}`;
  if (segment.has(ACK)) text += ` ack ${seqDiff(segment.ack, ackBase) >>> 0}`;
  text += ` win ${segment.window}`;
  const options: string[] = [];
  if (segment.mss !== ABSENT) options.push(`mss ${segment.mss}`);
  if (segment.windowShift !== ABSENT) options.push(`wscale ${segment.windowShift}`);
  if (segment.sackPermitted) options.push('sackOK');
  if (segment.hasTimestamps) options.push(`ts ${segment.tsVal} ${segment.tsEcr}`);
  for (let i = 0; i < segment.sackCount; i++) {
    options.push(`sack ${seqAdd(segment.sack[2 * i]!, -ackBase)}:${seqAdd(segment.sack[2 * i + 1]!, -ackBase)}`);
  }
  if (segment.capabilities !== ABSENT) options.push(`capabilities ${segment.capabilities}`);
  if (segment.hasCrc) options.push('crc');
  if (options.length > 0) text += ` <${options.join(',')}>`;
  return text;
}
