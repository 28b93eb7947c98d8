import { parseAddress, type Address } from '../core/address.ts';
import type { Peer } from '../group/replica.ts';

/** Where others are reached from here: at their own addresses, or at the proxies that stand before them. */
export class Routes {
  readonly #routes = new Map<string, string>();

  set(routes: Readonly<Record<string, string>>): void {
    for (const [address, route] of Object.entries(routes)) this.#routes.set(address, route);
  }

  /** Undefined for what is no HOST:PORT. */
  resolve({ address }: Peer): Address | undefined {
    return parseAddress(this.#routes.get(address) ?? address);
  }
}
