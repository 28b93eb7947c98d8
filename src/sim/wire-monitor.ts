import type { Address } from '../core/address.ts';
import type { Millis } from '../core/machine.ts';
import { decodeInto, OK } from '../wire/codec.ts';
import { ACK, FIN, RST, Segment, SYN } from '../wire/segment.ts';
import { Flow, type FlowLimits } from './flow.ts';
import type { Coverage } from './coverage.ts';
import type { Verdicts } from './verdict.ts';

/**
 * Watches the datagrams of one host, in and out, and keeps a `Flow` for each of its connections. When a connection
 * begins and ends it hears from the host's trace; everything else it sees on the wire.
 */
export class WireMonitor {
  readonly #host: string;
  readonly #limitsOf: (peerKey: string) => FlowLimits;
  readonly #verdicts: Verdicts;
  readonly #coverage: Coverage;
  readonly #now: () => Millis;
  readonly #flows = new Map<string, Flow>();
  readonly #segment = new Segment();
  /** The segment being received came from this peer; empty when none is. */
  #receivingFrom = '';

  constructor(host: string, limitsOf: (peerKey: string) => FlowLimits, verdicts: Verdicts, coverage: Coverage, now: () => Millis) {
    this.#host = host;
    this.#limitsOf = limitsOf;
    this.#verdicts = verdicts;
    this.#coverage = coverage;
    this.#now = now;
  }

  /** The latest connection with a peer. */
  flow(peerKey: string): Flow | undefined {
    return this.#flows.get(peerKey);
  }

  /** A connection with `peerKey` came into being, through the segment that is being received or by itself. */
  begin(peerKey: string, isPassive: boolean): void {
    const report = (checker: string, message: string): void => {
      this.#verdicts.report(checker, this.#now(), this.#host, message);
    };
    const flow = new Flow(this.#limitsOf(peerKey), isPassive, report);
    this.#flows.get(peerKey)?.resets.excuse();
    this.#flows.set(peerKey, flow);
    if (isPassive && this.#receivingFrom === peerKey) flow.onReceive(this.#segment, this.#now());
  }

  /** The connection is in another state now. */
  enter(peerKey: string, state: string): void {
    const flow = this.#flows.get(peerKey);
    if (flow === undefined) return;
    if (flow.state === 'TIME-WAIT' && this.#receivingFrom === peerKey && this.#segment.has(SYN)) this.#coverage.add('time-wait ended by SYN');
    flow.state = state;
    if (state === 'CLOSED') this.end(peerKey);
  }

  /** The connection is gone: from now on only RSTs may go to this peer. */
  end(peerKey: string): void {
    const flow = this.#flows.get(peerKey);
    if (flow === undefined || flow.isGone) return;
    flow.isGone = true;
    flow.goneAtMs = this.#now();
    this.#cover(flow);
  }

  /** A datagram reaches the host; `isWhole`: no bit of it was flipped. */
  onReceive(from: Address, datagram: Uint8Array, isWhole: boolean): void {
    this.#receivingFrom = '';
    if (!isWhole || decodeInto(this.#segment, datagram) !== OK) return;
    this.#receivingFrom = from.key;
    const flow = this.#flows.get(from.key);
    if (flow === undefined) return;
    if (flow.isGone) {
      if (this.#segment.has(RST) || (this.#segment.has(SYN) && !this.#segment.has(ACK))) flow.resets.excuse();
      return;
    }
    if (flow.state === 'TIME-WAIT' && this.#segment.has(FIN)) this.#coverage.add('fin again in time-wait');
    flow.onReceive(this.#segment, this.#now());
  }

  /** A datagram leaves the host. */
  onSend(to: Address, datagram: Uint8Array): void {
    const segment = this.#segment;
    this.#receivingFrom = '';
    const now = this.#now();
    if (decodeInto(segment, datagram) !== OK) {
      this.#verdicts.report('format', now, this.#host, 'a datagram was sent that cannot be decoded');
      return;
    }
    if (segment.has(RST)) {
      this.#flows.get(to.key)?.resets.onSend(now);
      if (this.#limitsOf(to.key).requiresIntegrity && !segment.hasCrc) this.#verdicts.report('integrity', now, this.#host, 'a RST left without its CRC');
      return;
    }
    const flow = this.#flows.get(to.key);
    if (flow !== undefined) flow.onSend(segment, now);
    else this.#verdicts.report('close', now, this.#host, `a segment with${segment.has(ACK) ? '' : 'out'} ACK was sent without a connection`);
  }

  /** The host did not run for a while. */
  onPause(): void {
    for (const flow of this.#flows.values()) flow.onPause();
  }

  /** The host crashed, or the run is over. */
  endAll(): void {
    for (const [key, flow] of this.#flows) {
      this.end(key);
      flow.resets.excuse();
    }
    this.#flows.clear();
  }

  #cover(flow: Flow): void {
    const coverage = this.#coverage;
    if (flow.synsSent > 1) coverage.add(flow.isPassive ? 'SYN-ACK retransmission' : 'SYN retransmission', flow.synsSent - 1);
    if (flow.finsSent > 1) coverage.add('FIN retransmission', flow.finsSent - 1);
    if (flow.bytesAfterOwnFin > 0) coverage.add('half-close');
    if (flow.wrapped) coverage.add('sequence wrap');
    if (flow.irs === undefined || flow.iss === undefined) return;
    if (!flow.scaling) coverage.add('window scaling off');
    if (!flow.hasTimestamps) coverage.add('timestamps off');
    if (!flow.peerPermitsSack) coverage.add('sack off');
  }
}
