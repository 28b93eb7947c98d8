import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';

const GIT_TIMEOUT_MS = 5000;
const PACKAGE = new URL('../../', import.meta.url);

/** Where and with what numbers were measured, as a line of JSON. */
export function environmentObject(): Record<string, unknown> {
  const { version } = JSON.parse(readFileSync(new URL('package.json', PACKAGE), 'utf8')) as { version: string };
  return {
    version,
    commit: commitOf(),
    node: process.version,
    cpu: cpus()[0]?.model ?? null,
    cores: availableParallelism(),
    memory_bytes: totalmem(),
    system: `${type()} ${release()}`,
    load_average: loadavg()[0],
    kernel_congestion_control: readLine('/proc/sys/net/ipv4/tcp_congestion_control'),
    receive_buffer_limit: Number(readLine('/proc/sys/net/core/rmem_max')) || null,
    started_at: new Date().toISOString(),
  };
}

/** The same for people, in one line. */
export function describeEnvironment(environment: Readonly<Record<string, unknown>>): string {
  const { cpu, cores, system, node, commit, version } = environment;
  const parts = [`${String(cores)} × ${String(cpu)}`, system, `Node.js ${String(node)}`, `failmask ${String(version)}`];
  return parts.map(String).join(', ') + (commit === null ? '' : ` at ${String(commit)}`);
}

/** Datagrams that the kernel dropped since boot because a receive buffer was full, of all processes; undefined where it does not say. */
export function receiveBufferErrors(): number | undefined {
  let text: string;
  try {
    text = readFileSync('/proc/net/snmp', 'utf8');
  } catch {
    return undefined;
  }
  return parseReceiveBufferErrors(text);
}

/** `text` is /proc/net/snmp: for each protocol a line of names and one of values. */
export function parseReceiveBufferErrors(text: string): number | undefined {
  const [names, values] = text.split('\n').filter((line) => line.startsWith('Udp: ')).map((line) => line.split(' '));
  const value = Number(values?.[names?.indexOf('RcvbufErrors') ?? -1]);
  return Number.isInteger(value) ? value : undefined;
}

/** The commit of the checkout, with `-dirty` if files differ from it; null outside a checkout. */
function commitOf(): string | null {
  const git = (...args: string[]): string => execFileSync('git', args, { cwd: PACKAGE, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: GIT_TIMEOUT_MS }).trim();
  try {
    // An installed package may lie inside somebody else's checkout.
    if (git('ls-files', 'package.json') === '') return null;
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', 'src') === '' ? '' : '-dirty');
  } catch {
    return null;
  }
}

function readLine(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return null;
  }
}
