import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { endAll, failmask, makeDirectory } from './program.ts';

/** --pcap and --log of real transfers. */
afterEach(endAll);

const hasTshark = spawnSync('tshark', ['--version']).status === 0;

interface Packet {
  readonly fromPort: number;
  readonly flags: number;
  readonly seq: number;
  readonly length: number;
  readonly isBad: boolean;
  readonly mss: string;
  readonly comment: string;
}

/** What tshark makes of a capture; checksums are verified. */
function packetsOf(file: string): Packet[] {
  const fields = ['tcp.srcport', 'tcp.flags', 'tcp.seq_raw', 'tcp.len', 'tcp.checksum.status', 'ip.checksum.status', '_ws.malformed', 'tcp.options.mss_val', 'frame.comment'];
  const text = execFileSync('tshark', [
    '-n', '-r', file, '-o', 'tcp.check_checksum:TRUE', '-o', 'ip.check_checksum:TRUE', '-T', 'fields', '-E', 'separator=|', ...fields.flatMap((field) => ['-e', field]),
  ], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 1 << 26 });
  return text.trimEnd().split('\n').map((line) => {
    const [port, flags, seq, length, tcpStatus, ipStatus, malformed, mss, comment] = line.split('|');
    // 1: good.
    return { fromPort: Number(port), flags: Number(flags), seq: Number(seq), length: Number(length), isBad: tcpStatus !== '1' || ipStatus !== '1' || malformed !== '', mss: mss!, comment: comment! };
  });
}

/** Data segments that begin below what was sent before. */
function retransmissions(packets: readonly Packet[]): number {
  let top: number | undefined;
  let count = 0;
  for (const { seq, length } of packets) {
    if (length === 0) continue;
    const end = (seq + length) >>> 0;
    if (top !== undefined && ((seq - top) | 0) < 0) count++;
    if (top === undefined || ((end - top) | 0) > 0) top = end;
  }
  return count;
}

/** A segment with nothing but an acknowledgement. */
const ACK = 0x10;

it.skipIf(!hasTshark)('captures of send, recv and proxy are TCP for tshark: nothing malformed, no bad checksum, retransmissions as counted', async () => {
  const directory = makeDirectory();
  const [input, ...captures] = ['input', 'send.pcapng', 'recv.pcapng', 'proxy.pcapng'].map((name) => join(directory, name));
  writeFileSync(input!, Buffer.alloc(600_000, 'failmask '));
  const recv = failmask(['recv', '-p', 0, '-o', '/dev/null', '--pcap', captures[1]!]);
  const proxy = failmask(['proxy', '-l', 0, '-u', `127.0.0.1:${await recv.port()}`, '--seed', 3, '--loss', '10%', '--duplicate', '2%', '--corrupt', '2%', '--pcap', captures[2]!]);
  const proxyPort = await proxy.port();
  const send = failmask(['send', '-C', 'fixed', `127.0.0.1:${proxyPort}`, input!, '--json', '--pcap', captures[0]!]);
  expect([await send.code(), await recv.code()]).toEqual([0, 0]);
  proxy.kill('SIGINT');
  expect(await proxy.code()).toBe(0);

  const [sent, received, passed] = captures.map(packetsOf);
  // The proxy's tap stands before the damage, the sender's before and behind it: what arrives there damaged is no TCP of ours.
  expect(passed!.filter(({ isBad }) => isBad)).toEqual([]);
  const out = sent!.filter(({ fromPort }) => fromPort !== proxyPort);
  expect(out.filter(({ isBad }) => isBad)).toEqual([]);
  expect(out[0]!.mss).not.toBe('');
  expect(out[0]!.flags & 2).toBe(2);
  const fins = out.filter(({ flags, length }) => (flags & 1) !== 0 && length === 0).length;
  const counted = send.summary.counters as Record<string, number>;
  // The capture goes on for as long as the process lives; the summary is taken when all is said. A FIN that comes again is acknowledged in between.
  const late = out.slice(counted['segmentsSent']);
  expect(out.length).toBeGreaterThanOrEqual(counted['segmentsSent']!);
  expect(late.filter(({ flags, length }) => flags !== ACK || length > 0)).toEqual([]);
  // A FIN sent again, without data, is counted as well.
  expect(counted['retransmissions']! - retransmissions(out)).toBeGreaterThanOrEqual(0);
  expect(counted['retransmissions']! - retransmissions(out)).toBeLessThanOrEqual(Math.max(0, fins - 1) + out.filter(({ flags }) => (flags & 2) !== 0).length - 1);
  expect(passed!.filter(({ comment }) => /lost|drop/.test(comment)).length).toBeGreaterThan(10);
  expect(received!.length).toBeGreaterThan(400);
});

describe('--log', () => {
  it('is JSON lines, one an event, with the states of the connection', async () => {
    const log = join(makeDirectory(), 'log');
    const recv = failmask(['recv', '-p', 0, '-o', '/dev/null']);
    const send = failmask(['send', `127.0.0.1:${await recv.port()}`, '/dev/null', '--log', log]);
    expect([await send.code(), await recv.code()]).toEqual([0, 0]);
    const events = readFileSync(log, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as { ms: number; type: string; to?: string });
    expect(events.every(({ ms }, i) => i === 0 || ms >= events[i - 1]!.ms)).toBe(true);
    expect(events.filter(({ type }) => type === 'state').map(({ to }) => to)).toEqual(['SYN-SENT', 'ESTABLISHED', 'FIN-WAIT-1', 'FIN-WAIT-2', 'TIME-WAIT', 'CLOSED']);
  });
});
