import type { Patch } from './mutant-copies.ts';

/** One deliberate bug of the transport. */
export interface Mutant extends Patch {
  readonly name: string;
}

/** What the generic seed suite has to find, without a test made for any of them. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: 'no RTO back-off',
    file: 'tcp/rtt.ts',
    find: 'if (this.backoff < 30) this.backoff++;',
    replace: '',
  },
  {
    name: 'ACK of data that never came',
    file: 'tcp/output.ts',
    find: '  out.ack = tcb.receiver.rcvNxt;\n  out.window = advertise(tcb);',
    replace: '  out.ack = tcb.receiver.hasHoles ? seqAdd(tcb.receiver.rcvNxt, 1) : tcb.receiver.rcvNxt;\n  out.window = advertise(tcb);',
  },
  {
    name: 'CRC not checked',
    file: 'wire/codec.ts',
    find: 'if (actual !== crc) return BAD_CRC;',
    replace: '',
  },
  {
    name: 'CRC not put in',
    file: 'wire/codec.ts',
    find: 'if (crcOffset !== 0) put32(target, crcOffset, crc32(target.subarray(0, length)));',
    replace: '',
  },
  {
    name: 'off-by-one window of the sender',
    file: 'tcp/output.ts',
    find: '  const usable = seqDiff(seqAdd(tcb.sndUna, tcb.sndWnd), tcb.sndNxt);\n  const size = Math.min(available, usable, full);',
    replace: '  const usable = seqDiff(seqAdd(tcb.sndUna, tcb.sndWnd + 1), tcb.sndNxt);\n  const size = Math.min(available, usable, full);',
  },
  {
    name: 'off-by-one window of the receiver',
    file: 'tcp/output.ts',
    find: 'const free = tcb.config.receiveBufferBytes - tcb.receiver.ready.length;',
    replace: 'const free = tcb.config.receiveBufferBytes - tcb.receiver.ready.length + 1;',
  },
  {
    name: 'FIN not retransmitted',
    file: 'tcp/output.ts',
    find: '  fillData(tcb, start, size, withFin, now, out);\n  tcb.controller.onSent(now, size, tcb.inFlight);\n  // The RTO runs',
    replace: '  fillData(tcb, start, size, false, now, out);\n  tcb.controller.onSent(now, size, tcb.inFlight);\n  // The RTO runs',
  },
  {
    name: 'Karn ignored',
    file: 'tcp/acks.ts',
    find: '    if (!wasRetransmitted) {\n      if (bySack)',
    replace: '    if (sentMs >= 0) {\n      if (bySack)',
  },
  {
    name: 'SACK of the wrong range',
    file: 'tcp/reassembly.ts',
    find: 'segment.sack[2 * count + 1] = range.right;',
    replace: 'segment.sack[2 * count + 1] = seqAdd(range.right, 1);',
  },
  {
    name: 'retransmission timer not armed again',
    file: 'tcp/acks.ts',
    find: '  tcb.timers.set(RETRANSMIT, now + tcb.rtt.rtoMs);\n  if (tcb.sndWnd > 0)',
    replace: '  tcb.timers.clear(RETRANSMIT);\n  if (tcb.sndWnd > 0)',
  },
  {
    name: 'lost retransmission not found',
    file: 'tcp/scoreboard.ts',
    find: 'if (sentMs < xmitMs || seqLt(this.#end[slot]!, endSeq)) {',
    replace: 'if ((this.#flags[slot]! & RETRANSMITTED) === 0 && (sentMs < xmitMs || seqLt(this.#end[slot]!, endSeq))) {',
  },
  {
    name: 'closed window not probed',
    file: 'tcp/timeouts.ts',
    find: 'tcb.pending |= PENDING_WINDOW_PROBE;',
    replace: '',
  },
  {
    name: 'overlap delivered twice',
    file: 'tcp/reassembly.ts',
    find: '      this.ready.push(own(bytes, seqDiff(this.rcvNxt, seq), seqDiff(end, seq)));\n      this.rcvNxt = end;',
    replace: '      this.ready.push(own(bytes, 0, seqDiff(end, seq)));\n      this.rcvNxt = end;',
  },
  {
    name: 'duplicate delivered again',
    file: 'tcp/arrives.ts',
    find: 'tcb.receiver.accept(segment.seq, segment.payload.subarray(segment.payloadStart, segment.payloadEnd));\n}',
    replace: 'tcb.receiver.ready.push(segment.payload.subarray(segment.payloadStart, segment.payloadEnd));\n}',
  },
  {
    name: 'user timeout runs although probes are answered',
    file: 'tcp/acks.ts',
    find: '    if (!tcb.isOrphan) tcb.timers.clear(USER_TIMEOUT);\n    tcb.timers.clear(LOSS_PROBE);\n  } else if',
    replace: '    tcb.timers.clear(LOSS_PROBE);\n  } else if',
  },
  {
    name: 'PAWS turned round',
    file: 'tcp/arrives.ts',
    find: 'return !seqLt(segment.tsVal, tcb.tsRecent)',
    replace: 'return !seqGt(segment.tsVal, tcb.tsRecent)',
  },
  {
    name: 'timestamp of any segment echoed',
    file: 'tcp/arrives.ts',
    find: ' && seqLe(segment.seq, tcb.lastAckSent)) {',
    replace: ') {',
  },
  {
    name: 'congestion window not kept',
    file: 'tcp/output.ts',
    find: 'if (inFlight > 0 && inFlight + size > tcb.controller.cwnd) {',
    replace: 'if (inFlight > 0 && inFlight > tcb.controller.cwnd) {',
  },
  {
    name: 'sent bytes given up too early',
    file: 'tcp/acks.ts',
    find: 'tcb.sendQueue.release(seqLe(ack, dataEnd) ? ack : dataEnd);',
    replace: 'tcb.sendQueue.release(dataEnd);',
  },
  {
    name: 'end told before the bytes in front of the FIN',
    file: 'tcp/connection.ts',
    find: 'return this.#tcb.finReceived && this.#tcb.receiver.ready.length === 0;',
    replace: 'return this.#tcb.finReceived;',
  },
  {
    name: '"finished" told with bytes unacknowledged',
    file: 'tcp/acks.ts',
    find: 'if (tcb.finAcked) tcb.events |= EVENT_FINISHED;',
    replace: 'if (tcb.finSent) tcb.events |= EVENT_FINISHED;',
  },
  {
    name: 'room for the writer not told',
    file: 'tcp/acks.ts',
    find: '    tcb.events |= EVENT_WRITABLE;',
    replace: '',
  },
  {
    name: 'RST ignored',
    file: 'tcp/arrives.ts',
    find: "  else tcb.fail('ECONNRESET', 'connection reset by the peer', now);",
    replace: '',
  },
  {
    name: 'keep-alive gives up although its probes are answered',
    file: 'tcp/arrives.ts',
    find: '  tcb.keepAliveUnanswered = 0;',
    replace: '',
  },
  {
    name: 'abort sends no RST',
    file: 'tcp/connection.ts',
    find: 'if (isOpen || isHalfOpen) tcb.pending = PENDING_RST;',
    replace: '',
  },
  {
    name: 'abort says its RST once',
    file: 'tcp/farewells.ts',
    find: '    this.#nextAt = Math.min(this.#nextAt, dueAt);\n    return true;',
    replace: '    return true;',
  },
  {
    name: 'aborted connection says its RST for ever',
    file: 'tcp/farewells.ts',
    find: 'farewell.dueAt = --farewell.left === 0 ?',
    replace: 'farewell.dueAt = farewell.left === 0 ?',
  },
  {
    name: 'exact RST challenged like any other',
    file: 'tcp/arrives.ts',
    find: 'if (segment.seq !== tcb.receiver.rcvNxt) {\n    challenge(tcb, now);',
    replace: 'if (segment.seq !== tcb.receiver.rcvNxt || tcb.outstanding === 0) {\n    challenge(tcb, now);',
  },
];
