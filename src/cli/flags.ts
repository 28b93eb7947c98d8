import { isIP, isIPv6 } from 'node:net';

import { parseDuration, parseProbability, parseRate, parseSize, parseWhole } from '../core/units.ts';
import { restoreDash } from './dash.ts';
import { UsageError } from './exit.ts';

/**
 * What yargs' `coerce` wants, for the kinds of values that our flags have. Each takes the flag's name as people write it (`--user-timeout`),
 * and throws a UsageError that names it. Declare the options with `type: 'string'`.
 */
export type Coerce<T> = (given: unknown) => T;

/** Node's timers count in 32 bits; longer delays fire at once. */
const MAX_DURATION_MS = 2 ** 31 - 1;
const MAX_PORT = 65_535;
const MAX_SEED = 2 ** 32 - 1;
/** RFC 1035, section 2.3.4. */
const MAX_HOST_CHARACTERS = 253;
const HOST_NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?$/;

const EXAMPLE = ', as in 127.0.0.1:9000 or [::1]:9000';

export interface HostPort {
  /** A name or an IP literal, without brackets. */
  readonly host: string;
  readonly port: number;
}

export interface KeepAlive {
  readonly idleMs: number;
  readonly intervalMs: number;
  readonly count: number;
}

/** Wraps a parser that throws plain Errors. Undefined, for a flag that was not given, stays undefined. */
export function flagValue<T>(flag: string, parse: (text: string) => T): Coerce<T> {
  return (given) => {
    // yargs calls this for flags with a value only; the cast keeps optional flags optional in the command's own type.
    if (given === undefined) return undefined as T;
    if (Array.isArray(given)) throw new UsageError(`${flag} is given more than once`);
    const text = restoreDash(String(given));
    if (text === '') throw new UsageError(`${flag} needs a value`);
    try {
      return parse(text);
    } catch (error) {
      throw new UsageError(`${flag}: ${(error as Error).message}`);
    }
  };
}

/** Milliseconds in [minMs, 2^31 − 1]. */
export function duration(flag: string, minMs = 0): Coerce<number> {
  return flagValue(flag, (text) => checkedDuration(text, minMs));
}

/** Bytes, at least `minBytes`. */
export function size(flag: string, minBytes = 0, maxBytes: number = Number.MAX_SAFE_INTEGER): Coerce<number> {
  return flagValue(flag, (text) => {
    const bytes = parseSize(text);
    if (bytes < minBytes) throw new Error(`"${text}" is too small: the least is ${minBytes} bytes`);
    if (bytes > maxBytes) throw new Error(`"${text}" is too large: the most is ${maxBytes} bytes`);
    return bytes;
  });
}

/** Bits per second. */
export function rate(flag: string): Coerce<number> {
  return flagValue(flag, parseRate);
}

/** A probability in [0, 1]. */
export function probability(flag: string): Coerce<number> {
  return flagValue(flag, parseProbability);
}

/** A whole number in [min, max]; messages call it `what`. */
export function whole(flag: string, what: string, min: number, max?: number): Coerce<number> {
  return flagValue(flag, (text) => parseWhole(text, what, min, max));
}

/** A UDP port to listen on; 0 lets the system choose. */
export function port(flag: string): Coerce<number> {
  return whole(flag, 'port', 0, MAX_PORT);
}

/** A seed in [0, 2^32 − 1]. */
export function seed(flag: string): Coerce<number> {
  return whole(flag, 'seed', 0, MAX_SEED);
}

/** HOST:PORT, with an IPv6 literal in brackets: localhost:9000, 127.0.0.1:9000, [::1]:9000. The port is not 0. */
export function hostPort(flag: string): Coerce<HostPort> {
  return flagValue(flag, (text) => parseHostPort(text));
}

/** HOST:PORT to listen on: port 0 lets the system choose. */
export function listenAddress(flag: string): Coerce<HostPort> {
  return flagValue(flag, (text) => parseHostPort(text, 0));
}

/** HOST:PORT,HOST:PORT,… */
export function hostPorts(flag: string): Coerce<HostPort[]> {
  return flagValue(flag, (text) => text.split(',').map((part) => parseHostPort(part)));
}

/** IDLE/INTERVAL/COUNT, as in 30s/5s/3. */
export function keepAlive(flag: string): Coerce<KeepAlive> {
  return flagValue(flag, (text) => {
    const parts = text.split('/');
    if (parts.length !== 3) throw new Error(`"${text}" is not IDLE/INTERVAL/COUNT, as in 30s/5s/3`);
    return {
      idleMs: checkedDuration(parts[0]!, 1),
      intervalMs: checkedDuration(parts[1]!, 1),
      count: parseWhole(parts[2]!, 'count', 1, 1000),
    };
  });
}

/** Throws Error with one line. */
export function parseHostPort(text: string, minPort = 1): HostPort {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):([^:\s]*)$/.exec(text);
  if (match === null) {
    const isBareIpv6 = isIPv6(text) || isIPv6(text.slice(0, text.lastIndexOf(':')));
    throw new Error(`"${text}" is not HOST:PORT${isBareIpv6 ? ': an IPv6 address stands in brackets, as in [::1]:9000' : EXAMPLE}`);
  }
  const [, bracketed, plain, digits] = match;
  if (bracketed !== undefined && !isIPv6(bracketed)) throw new Error(`"${text}" has no IPv6 address in its brackets`);
  const host = bracketed ?? plain!;
  if (bracketed === undefined && !isHost(host)) throw new Error(`"${text}" is not HOST:PORT${EXAMPLE}`);
  return { host, port: parseWhole(digits!, 'port', minPort, MAX_PORT) };
}

/** Digits and dots only are meant as an address: 127.0.0.300 is no name. */
function isHost(host: string): boolean {
  if (/^[0-9.]+$/.test(host)) return isIP(host) === 4;
  return host.length <= MAX_HOST_CHARACTERS && HOST_NAME.test(host);
}

function checkedDuration(text: string, minMs: number): number {
  const ms = parseDuration(text);
  if (ms < minMs) throw new Error(`"${text}" is too short: the least is ${minMs}ms`);
  if (ms > MAX_DURATION_MS) throw new Error(`"${text}" is too long: the most is ${Math.floor(MAX_DURATION_MS / 60_000)}m`);
  return ms;
}
