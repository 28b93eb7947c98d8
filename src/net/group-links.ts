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
  /** Under way when two ask for it at once. */
  readonly proxy: Promise<Proxy>;
}

/** Some members on one side, everybody else on the other. */
export interface Partition {
  readonly members: ReadonlySet<string>;
  /** Cuts both ways, or only what those named send (`out`) or hear (`in`). */
  readonly direction: 'both' | 'in' | 'out';
  /** Whose links stay as they are. */
  readonly spares: (id: string) => boolean;
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
  readonly #links = new Set<GroupLink>();
  /** Also for links that are made while they last. */
  readonly #partitions: Partition[] = [];
  #nextSeed: number;

  constructor(options: GroupLinksOptions) {
    this.#options = options;
    this.#nextSeed = options.seed;
  }

  /** Where `from` dials to reach each of `places`: address → address of the proxy. Rejects when there is no port left. */
  async routes(from: string, places: readonly Place[]): Promise<Record<string, string>> {
    const links = places.filter(({ id }) => id !== from).map(({ id, address }) => [address, this.#link(from, id, address)] as const);
    return Object.fromEntries(await Promise.all(links.map(async ([address, { proxy }]) => [address, formatAddress((await proxy).address)] as const)));
  }

  /** That last. */
  get partitions(): number {
    return this.#partitions.length;
  }

  /** Until `heal`, beside those that there are. */
  async partition(partition: Partition): Promise<void> {
    this.#partitions.push(partition);
    await this.#apply();
  }

  /** Ends every partition. */
  async heal(): Promise<void> {
    this.#partitions.length = 0;
    await this.#apply();
  }

  /** Closes the proxies of somebody who does not come back. */
  async remove(id: string): Promise<void> {
    const gone = [...this.#links].filter(({ from, to }) => from === id || to === id);
    for (const link of gone) this.#links.delete(link);
    await closeAll(gone);
  }

  async close(): Promise<void> {
    const gone = [...this.#links];
    this.#links.clear();
    await closeAll(gone);
  }

  #link(from: string, to: string, address: string): GroupLink {
    const known = [...this.#links].find((link) => link.from === from && link.to === to);
    if (known !== undefined) return known;
    const link = { from, to, proxy: this.#start(from, to, address) };
    this.#links.add(link);
    // One that could not be made is tried anew by the next who asks.
    link.proxy.catch(() => this.#links.delete(link));
    return link;
  }

  async #start(from: string, to: string, address: string): Promise<Proxy> {
    const { host, profile } = this.#options;
    const target = parseAddress(address)!;
    const proxy = await startProxy({ host, port: 0, targetHost: target.host, targetPort: target.port, seed: this.#nextSeed++, up: profile, down: profile });
    this.#cut(from, to, proxy);
    return proxy;
  }

  async #apply(): Promise<void> {
    await Promise.all([...this.#links].map(({ from, to, proxy }) => proxy.then((started) => this.#cut(from, to, started), () => {})));
  }

  /** Up is from the one who dials to the one who is dialed. */
  #cut(from: string, to: string, proxy: Proxy): void {
    const { profile } = this.#options;
    const isCut = { up: profile.blackhole, down: profile.blackhole };
    for (const { members, direction, spares } of this.#partitions) {
      if (members.has(from) === members.has(to) || spares(from)) continue;
      const namedDials = members.has(from);
      isCut.up ||= direction === 'both' || (direction === 'out') === namedDials;
      isCut.down ||= direction === 'both' || (direction === 'out') !== namedDials;
    }
    for (const way of ['up', 'down'] as const) {
      if (proxy.profile(way).blackhole !== isCut[way]) proxy.setProfile(way, { ...profile, blackhole: isCut[way] });
    }
  }
}

async function closeAll(links: readonly GroupLink[]): Promise<void> {
  await Promise.all(links.map(({ proxy }) => proxy.then((started) => started.close(), () => {})));
}
