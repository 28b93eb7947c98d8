import type { Address } from '../core/address.ts';
import type { Millis } from '../core/machine.ts';
import type { Random } from '../core/random.ts';
import { Link } from '../link/link.ts';
import type { LinkProfile } from '../link/profile.ts';
import type { Host } from './host.ts';
import type { Middlebox } from './middlebox.ts';

/** What a datagram in flight carries besides its bytes. */
interface Flight {
  readonly from: Address;
  /** As it was sent: tells whether the link flipped a bit. */
  readonly original: Uint8Array;
  /** In the order in which they were sent, from 1. */
  readonly number: number;
}

/** One way between two hosts. */
export class OneWay {
  readonly #link: Link<Flight>;
  readonly #to: Host;
  readonly #middlebox: Middlebox;
  #profile: LinkProfile;
  #isPartitioned = false;
  #latest = 0;
  #sent = 0;
  /** Datagrams that arrived after one that was sent later. */
  overtaken = 0;
  /** Segments that went on in two pieces. */
  split = 0;

  constructor(to: Host, profile: LinkProfile, middlebox: Middlebox, random: Random) {
    this.#link = new Link<Flight>(profile, random);
    this.#profile = profile;
    this.#to = to;
    this.#middlebox = middlebox;
  }

  get counters(): Link['counters'] {
    return this.#link.counters;
  }

  nextTimeout(): Millis {
    return this.#link.nextTimeout();
  }

  /** `bytes` is not written to afterwards. */
  offer(from: Address, bytes: Uint8Array, now: Millis): void {
    const pieces = this.#middlebox.pass(bytes);
    this.split += pieces.length - 1;
    for (const original of pieces) this.#link.offer(original, now, { from, original, number: ++this.#sent });
  }

  /** Hands over what is due; returns whether there was anything. */
  deliver(now: Millis): boolean {
    let active = false;
    for (let next = this.#link.poll(now); next !== undefined; next = this.#link.poll(now)) {
      active = true;
      const { from, original, number } = next.to;
      if (number < this.#latest) this.overtaken++;
      this.#latest = Math.max(this.#latest, number);
      this.#to.deliver(from, next.bytes, next.bytes === original);
    }
    return active;
  }

  change(part: Partial<LinkProfile>): void {
    this.#profile = { ...this.#profile, ...part };
    this.#adopt();
  }

  partition(isPartitioned: boolean): void {
    this.#isPartitioned = isPartitioned;
    this.#adopt();
  }

  #adopt(): void {
    this.#link.setProfile({ ...this.#profile, blackhole: this.#isPartitioned || this.#profile.blackhole });
  }
}

/** The least time that a datagram takes on a link with this profile. */
export function leastDelayMs(profile: LinkProfile): Millis {
  const { delay, reorder } = profile;
  if (reorder.probability > 0) return 0;
  // The distributions are cut at four jitters; uniform ends at one.
  return Math.max(0, delay.delayMs - delay.jitterMs * (delay.distribution === 'uniform' ? 1 : 4));
}
