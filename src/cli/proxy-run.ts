import { randomInt } from 'node:crypto';

import { formatAddress, makeAddress } from '../core/address.ts';
import type { Address } from '../core/address.ts';
import { FATE_DELIVERED, formatFate } from '../link/fate.ts';
import { checkProfile, defaultProfile, formatProfile } from '../link/profile.ts';
import type { LinkProfile } from '../link/profile.ts';
import { Script } from '../link/script.ts';
import type { Direction, ProfilePair } from '../link/script.ts';
import { openPcap } from '../net/pcap-file.ts';
import type { PcapFile } from '../net/pcap-file.ts';
import { startProxy } from '../net/proxy.ts';
import type { Proxy, ProxyTap } from '../net/proxy.ts';
import { CommandError, describeError, Exit, UsageError } from './exit.ts';
import { Reporter } from './output.ts';
import { intervalText, statsObject, subtractCounters, summaryText } from './proxy-report.ts';
import { CLAUSE_FLAGS } from './proxy.ts';
import type { ProxyArgs } from './proxy.ts';

const INTERVAL_MS = 1000;
const MAX_SEED = 2 ** 32;

/** The flags for both ways first, then those of one direction. Throws UsageError. */
export function readProfile(args: Readonly<Record<string, unknown>>, direction: Direction): LinkProfile {
  let profile = defaultProfile;
  for (const prefix of ['', `${direction}-`]) {
    for (const [keyword] of CLAUSE_FLAGS) {
      profile = { ...profile, ...(args[`${prefix}${keyword}`] as Partial<LinkProfile> | undefined) };
    }
    const blackhole = args[`${prefix}blackhole`];
    if (typeof blackhole === 'boolean') profile = { ...profile, blackhole };
  }
  asUsage(() => checkProfile(profile));
  return profile;
}

function asUsage<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function describeProfile(profile: LinkProfile): string {
  return formatProfile(profile) || 'a perfect link';
}

/** Packets between client and proxy as they arrive at the proxy, before they are hurt; what is done to them stands in the comment. */
function pcapTap(pcap: PcapFile, proxyAddress: () => Address): ProxyTap {
  return (direction, datagram, client, fate, timeMs) => {
    const proxy = proxyAddress();
    // A link-local IPv6 address comes with its interface, which a packet has no place for.
    const peer = makeAddress(client.host.replace(/%.*/, ''), client.port);
    const isUp = direction === 'up';
    const notes = fate === FATE_DELIVERED ? {} : { comment: formatFate(fate) };
    pcap.packet(timeMs, isUp ? peer : proxy, isUp ? proxy : peer, datagram, { ...notes, outbound: !isUp });
  };
}

function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
  });
}

async function listen(args: ProxyArgs, seedValue: number, profiles: ProfilePair, reporter: Reporter, pcap: PcapFile | undefined): Promise<Proxy> {
  // Nothing is tapped before startProxy has returned: the first datagram comes in a later turn.
  let address: Address | undefined;
  try {
    const proxy = await startProxy({
      host: args.host,
      port: args.listen,
      targetHost: args.upstream.host,
      targetPort: args.upstream.port,
      seed: seedValue,
      ...profiles,
      script: args.script ?? [],
      ...(args['idle-timeout'] !== undefined && { idleTimeoutMs: args['idle-timeout'] }),
      ...(args['max-clients'] !== undefined && { maxMappings: args['max-clients'] }),
      ...(pcap !== undefined && { tap: pcapTap(pcap, () => address!) }),
      onProfileChange({ atMs, direction, profile, words }) {
        reporter.info(`${(atMs / 1000).toFixed(1).padStart(6)} s  ${direction}: ${words} → ${describeProfile(profile)}`);
        reporter.json({ type: 'profile', seconds: atMs / 1000, direction, words, profile: formatProfile(profile) });
      },
    });
    address = proxy.address;
    return proxy;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const place = formatAddress({ host: args.host, port: args.listen });
    const message = code === 'EADDRINUSE' ? `${place} is in use by another process (EADDRINUSE)` : describeError(error);
    throw new CommandError(`cannot start the proxy: ${message}`, Exit.runtimeError);
  }
}

/** Prints a line for each second in which there was traffic. Returns the function that stops it. */
function reportIntervals(proxy: Proxy, reporter: Reporter, secondsNow: () => number): () => void {
  let before = proxy.stats();
  const timer = setInterval(() => {
    const stats = proxy.stats();
    const up = subtractCounters(stats.up, before.up);
    const down = subtractCounters(stats.down, before.down);
    if (up.offered + up.delivered + down.offered + down.delivered === 0) return;
    before = stats;
    reporter.info(intervalText(secondsNow(), up, down));
    reporter.json(statsObject('interval', secondsNow(), stats));
  }, INTERVAL_MS).unref();
  return () => clearInterval(timer);
}

/** Forwards until SIGINT, SIGTERM or SIGHUP, then prints the summary. Throws UsageError and CommandError. */
export async function runProxy(args: ProxyArgs): Promise<void> {
  const flags = args as unknown as Readonly<Record<string, unknown>>;
  const profiles = { up: readProfile(flags, 'up'), down: readProfile(flags, 'down') };
  asUsage(() => new Script(args.script ?? [], profiles, 0));
  const reporter = new Reporter({ json: args.json, quiet: args.quiet });
  const signal = untilSignal();
  const pcap = args.pcap === undefined ? undefined : openPcap(args.pcap, (message) => reporter.warn(message));
  try {
    const proxy = await listen(args, args.seed ?? randomInt(MAX_SEED), profiles, reporter, pcap);
    const startedAt = performance.now();
    const secondsNow = (): number => Math.round(performance.now() - startedAt) / 1000;
    announce(proxy, reporter);
    const stopIntervals = reportIntervals(proxy, reporter, secondsNow);
    await signal;
    stopIntervals();
    const stats = proxy.stats();
    await proxy.close();
    reporter.result(summaryText(`${formatAddress(proxy.address)} → ${formatAddress(proxy.target)}`, secondsNow(), stats));
    reporter.json(statsObject('summary', secondsNow(), stats));
  } finally {
    pcap?.close();
  }
}

function announce(proxy: Proxy, reporter: Reporter): void {
  const { address, target } = proxy;
  const { seed: seedValue } = proxy.stats();
  const [up, down] = [proxy.profile('up'), proxy.profile('down')];
  reporter.info(`listening on ${formatAddress(address)}, forwarding to ${formatAddress(target)}, seed ${seedValue}`);
  if (formatProfile(up) === formatProfile(down)) {
    reporter.info(`both ways: ${describeProfile(up)}`);
  } else {
    reporter.info(`up: ${describeProfile(up)}\ndown: ${describeProfile(down)}`);
  }
  reporter.json({
    type: 'listening', host: address.host, port: address.port, target_host: target.host, target_port: target.port,
    seed: seedValue, up: formatProfile(up), down: formatProfile(down),
  });
}
