/** Where a datagram comes from or goes to: an IP literal and a UDP port. Compare by `key`. */
export interface Address {
  readonly host: string;
  readonly port: number;
  /** `host|port`, made once. */
  readonly key: string;
}

/** `host` is an IP literal as the socket reports it; `port` in [0, 65535]. */
export function makeAddress(host: string, port: number): Address {
  return { host, port, key: `${host}|${port}` };
}

/** What formatAddress writes; undefined for what is no HOST:PORT with a port in [0, 65535]. Whether HOST is an IP literal is not looked at. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3] ?? Infinity);
  return match === null || port > 0xffff ? undefined : makeAddress(match[1] ?? match[2]!, port);
}

/** As people write it: 127.0.0.1:9000, [::1]:9000. */
export function formatAddress(address: { readonly host: string; readonly port: number }): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
