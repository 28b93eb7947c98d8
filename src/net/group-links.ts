import { formatAddress, parseAddress } from '../core/address.ts';
import type { LinkProfile } from '../link/profile.ts';
import { startProxy, type Proxy } from './proxy.ts';

/** Name and address (HOST:PORT) of a process. */
export interface Place {
  readonly id: string;
  readonly address: string;
}

interface GroupLink {
  readonly from: string;
  readonly to: string;
  readonly proxy: Proxy;
}

export interface GroupLinksOptions {
  readonly host: string;
  /** Each way of each link. */
  readonly profile: LinkProfile;
  readonly seed: number;
}

/** A lossy proxy on every link of a group: whoever dials somebody dials the proxy that stands before him. */
export class GroupLinks {
  readonly #options: GroupLinksOptions;
  readonly #links: GroupLink[] = [];
  #nextSeed: number;

  constructor(options: GroupLinksOptions) {
    this.#options = options;
    this.#nextSeed = options.seed;
  }

  /** Where `from` dials to reach each of `places`: address → address of the proxy. */
  async routes(from: string, places: readonly Place[]): Promise<Record<string, string>> {
    const routes: Record<string, string> = {};
    for (const { id, address } of places) if (id !== from) routes[address] = await this.#route(from, id, address);
    return routes;
  }

  /**
   * Cuts the links between the members named and all others that are no client of theirs, both ways or only what those named
   * send (`out`) or hear (`in`).
   */
  partition(members: ReadonlySet<string>, isCut: boolean, direction: 'both' | 'in' | 'out', isClient: (id: string) => boolean): void {
    for (const { from, to, proxy } of this.#links) {
      if (members.has(from) === members.has(to) || isClient(from)) continue;
      const namedDials = members.has(from);
      // Up is from the one who dials to the one who is dialed.
      const cutsUp = direction === 'both' || (direction === 'out') === namedDials;
      const cutsDown = direction === 'both' || (direction === 'out') !== namedDials;
      if (cutsUp) proxy.setProfile('up', { ...proxy.profile('up'), blackhole: isCut });
      if (cutsDown) proxy.setProfile('down', { ...proxy.profile('down'), blackhole: isCut });
    }
  }

  /** Ends every partition. */
  heal(): void {
    for (const { proxy } of this.#links) {
      for (const direction of ['up', 'down'] as const) proxy.setProfile(direction, { ...proxy.profile(direction), blackhole: false });
    }
  }

  /** Datagrams that the links lost, doubled, held back. */
  totals(): { readonly offered: number; readonly lost: number } {
    let offered = 0;
    let lost = 0;
    for (const { proxy } of this.#links) {
      const { up, down } = proxy.stats();
      offered += up.offered + down.offered;
      lost += up.lost + down.lost + up.blackholed + down.blackholed;
    }
    return { offered, lost };
  }

  async close(): Promise<void> {
    await Promise.all(this.#links.map(({ proxy }) => proxy.close()));
  }

  async #route(from: string, to: string, address: string): Promise<string> {
    const known = this.#links.find((link) => link.from === from && link.to === to);
    if (known !== undefined) return formatAddress(known.proxy.address);
    const { host, profile } = this.#options;
    const target = parseAddress(address)!;
    const proxy = await startProxy({ host, port: 0, targetHost: target.host, targetPort: target.port, seed: this.#nextSeed++, up: profile, down: profile });
    this.#links.push({ from, to, proxy });
    return formatAddress(proxy.address);
  }
}
