import { describe, expect, it } from 'vitest';
import { formatFlags, formatSegment } from '../../src/wire/format.ts';
import { ACK, FIN, PSH, RST, Segment, SYN } from '../../src/wire/segment.ts';

describe('text form', () => {
  it('writes flags as tcpdump does', () => {
    expect(formatFlags(SYN)).toBe('S');
    expect(formatFlags(SYN | ACK)).toBe('S.');
    expect(formatFlags(FIN | PSH | ACK)).toBe('FP.');
    expect(formatFlags(RST | ACK)).toBe('R.');
    expect(formatFlags(0)).toBe('none');
    expect(formatFlags(255)).toBe('SFRPUEW.');
  });

  it('writes a data segment relative to both initial sequence numbers', () => {
    const segment = new Segment();
    segment.flags = ACK | PSH;
    segment.seq = 0xffff_ffff;
    segment.ack = 5;
    segment.window = 512;
    segment.payload = new Uint8Array(1420);
    segment.payloadEnd = 1420;
    segment.hasCrc = true;
    segment.sackCount = 1;
    segment.sack[0] = 2845;
    segment.sack[1] = 4265;
    expect(formatSegment(segment, 0xffff_fffe, 4)).toBe('P. seq 1:1421 ack 1 win 512 <sack 2841:4261,crc>');
  });

  it('writes the options of a SYN', () => {
    const segment = new Segment();
    segment.flags = SYN;
    segment.mss = 1460;
    segment.windowShift = 7;
    segment.sackPermitted = true;
    segment.hasTimestamps = true;
    segment.tsVal = 9;
    segment.capabilities = 1;
    segment.hasCrc = true;
    expect(formatSegment(segment)).toBe('S seq 0:1 win 0 <mss 1460,wscale 7,sackOK,ts 9 0,capabilities 1,crc>');
  });

  it('wraps the end of a segment at 2^32, too', () => {
    const segment = new Segment();
    segment.flags = ACK;
    segment.seq = 0xffff_fffe;
    segment.payload = new Uint8Array(5);
    segment.payloadEnd = 5;
    expect(formatSegment(segment)).toBe('. seq 4294967294:3 ack 0 win 0');
  });
});
