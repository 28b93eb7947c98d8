import type { Millis } from '../../core/machine.ts';
import type { AckSample, CongestionController, ControllerOptions } from './controller.ts';

/** RFC 5681, 3.1: neither window nor threshold falls below two segments on loss; one after an RTO. */
const MIN_SEGMENTS = 2;
const LOSS_WINDOW_SEGMENTS = 1;

/**
 * NewReno (RFC 5681, 6582) with byte counting (RFC 3465). Slow start counts the whole ACK, not L = 2 segments: a receiver in
 * user space acknowledges a batch of datagrams at once, and smaller steps would slow the start to a crawl. In recovery L = 1.
 */
class NewReno implements CongestionController {
  readonly name = 'newreno';
  readonly pacingRate = Infinity;
  readonly #smss: number;
  readonly #initialWindow: number;
  cwnd: number;
  ssthresh = Infinity;
  /** Bytes acknowledged in congestion avoidance since the window last grew. */
  #acked = 0;
  #priorCwnd = 0;
  #priorSsthresh = Infinity;

  constructor(options: ControllerOptions) {
    this.#smss = options.smssBytes;
    this.#initialWindow = options.initialWindowSegments * options.smssBytes;
    this.cwnd = this.#initialWindow;
  }

  onSent(): void {}

  onAck(sample: AckSample): void {
    // A window that did not limit the sender says nothing about the path (RFC 7661).
    if (sample.isInRecovery && this.cwnd >= this.ssthresh) return;
    if (!sample.isWindowLimited || sample.ackedBytes === 0) return;
    if (this.cwnd < this.ssthresh) {
      // Slow start; after an RTO it also runs during recovery (RFC 5681, 3.1).
      // What a hole's repair acknowledges at once had left the network long before: one segment then, no burst.
      const growth = sample.isInRecovery ? Math.min(sample.ackedBytes, this.#smss) : sample.ackedBytes;
      this.cwnd = Math.min(this.cwnd + growth, Math.max(this.ssthresh, this.cwnd));
      return;
    }
    this.#acked += sample.ackedBytes;
    if (this.#acked >= this.cwnd) {
      this.#acked -= this.cwnd;
      this.cwnd += this.#smss;
    }
  }

  onLoss(_now: Millis, inFlightBytes: number): void {
    this.#remember();
    this.ssthresh = Math.max(inFlightBytes / 2, MIN_SEGMENTS * this.#smss);
    this.cwnd = this.ssthresh;
    this.#acked = 0;
  }

  onTimeout(_now: Millis, inFlightBytes: number): void {
    this.#remember();
    this.ssthresh = Math.max(inFlightBytes / 2, MIN_SEGMENTS * this.#smss);
    this.cwnd = LOSS_WINDOW_SEGMENTS * this.#smss;
    this.#acked = 0;
  }

  onUndo(): void {
    this.cwnd = Math.max(this.cwnd, this.#priorCwnd);
    this.ssthresh = this.#priorSsthresh;
  }

  onRecoveryExit(): void {}

  onIdle(): void {
    this.cwnd = Math.min(this.cwnd, this.#initialWindow);
  }

  #remember(): void {
    this.#priorCwnd = this.cwnd;
    this.#priorSsthresh = this.ssthresh;
  }
}

export function createNewReno(options: ControllerOptions, argument: string | undefined): CongestionController {
  if (argument !== undefined) throw new RangeError(`newreno takes no argument, not '${argument}'`);
  return new NewReno(options);
}
