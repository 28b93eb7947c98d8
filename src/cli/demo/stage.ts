import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { join } from 'node:path';

import { formatBytes, formatDuration } from '../../core/units.ts';
import { Exit } from '../exit.ts';
import type { Paint, Reporter } from '../output.ts';
import { memberCommandLine, proxyCommandLine, recvCommandLine, sendCommandLine, shellLine, type Network } from './commands.ts';
import { Player } from './player.ts';
import type { Expectation, Observation } from './verdict.ts';

/** What every step works with. */
export interface Setting {
  readonly seed: number;
  readonly loss: number;
  /** The file to send. */
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly userTimeoutMs: number;
}

export interface StepResult {
  readonly failure: string;
  readonly mechanism: string;
  readonly expected: Expectation;
  readonly observation: Observation;
  readonly evidence: string;
}

/** Ports in the commands that are printed: those of the run are the system's choice. */
const PRINTED_PORT = 9000;
/** After so long a transfer counts as hung; a run that goes well takes a few seconds. */
const DEADLINE_MS = 60_000;
const STATUS_INTERVAL_MS = 200;
const DEFAULT_CONGESTION = 'fixed';

/** Runs the processes of a step, tells what happens, and cleans up. */
export class Stage {
  readonly setting: Setting;
  readonly #reporter: Reporter;
  readonly #paint: Paint;
  readonly #directory: string;
  readonly #players = new Set<Player>();

  constructor(setting: Setting, directory: string, reporter: Reporter, paint: Paint) {
    this.setting = setting;
    this.#directory = directory;
    this.#reporter = reporter;
    this.#paint = paint;
  }

  section(title: string): void {
    this.#reporter.info(`\n${this.#paint('bold', title)}`);
  }

  say(text: string): void {
    this.#reporter.info(`  ${text}`);
    this.#reporter.json({ type: 'event', text });
  }

  /** Commands to repeat a step by hand. */
  showCommands(lines: readonly (readonly string[] | string)[]): void {
    for (const line of lines) this.#reporter.info(this.#paint('dim', typeof line === 'string' ? `    # ${line}` : `    $ ${shellLine(line)}`));
    this.#reporter.json({ type: 'commands', commands: lines.map((line) => (typeof line === 'string' ? `# ${line}` : shellLine(line))) });
  }

  path(name: string): string {
    return join(this.#directory, name);
  }

  get userTimeout(): string {
    return `${this.setting.userTimeoutMs / 1000}s`;
  }

  recv(output: string, port = 0): Player {
    return this.#start('recv', recvCommandLine(port, this.path(output)));
  }

  member(output: string): Player {
    return this.#start(`member ${output}`, memberCommandLine(0, this.path(output)));
  }

  async proxy(upstream: Player, network: Network): Promise<Player> {
    return this.#start('proxy', proxyCommandLine(0, await upstream.port, network));
  }

  async send(to: readonly Player[], congestion = DEFAULT_CONGESTION): Promise<Player> {
    const ports = await Promise.all(to.map(({ port }) => port));
    return this.#start('send', sendCommandLine(ports, this.setting.file, this.userTimeout, congestion));
  }

  /** The same lines with ports that can be typed. */
  printedChain(network: Network, congestion = DEFAULT_CONGESTION): (readonly string[])[] {
    return [
      recvCommandLine(PRINTED_PORT, 'copy'),
      proxyCommandLine(PRINTED_PORT + 1, PRINTED_PORT, network),
      sendCommandLine([PRINTED_PORT + 1], 'FILE', this.userTimeout, congestion),
    ];
  }

  printedGroup(members: number, network: Network, congestion = DEFAULT_CONGESTION): (readonly string[])[] {
    const numbers = Array.from({ length: members }, (_, i) => i);
    return [
      ...numbers.map((i) => memberCommandLine(PRINTED_PORT + 1 + i, `copy${i + 1}`)),
      ...numbers.map((i) => proxyCommandLine(PRINTED_PORT + 101 + i, PRINTED_PORT + 1 + i, network)),
      sendCommandLine(numbers.map((i) => PRINTED_PORT + 101 + i), 'FILE', this.userTimeout, congestion),
    ];
  }

  /** Resolves when the sender has confirmed at least this fraction of the file, or has ended. */
  async progress(sender: Player, fraction: number): Promise<void> {
    await this.#watched(sender, sender.reached(fraction * this.setting.bytes));
  }

  /** The sender's exit code; undefined when it has not ended by the deadline. A signal that ended it counts as an error. */
  async end(sender: Player): Promise<number | undefined> {
    const exited = await this.#watched(sender, sender.exited);
    return exited === undefined ? undefined : (exited.code ?? Exit.runtimeError);
  }

  /** SHA-256 of a file that is presented as complete; undefined when there is none. */
  async sha256(output: string): Promise<string | undefined> {
    const hash = createHash('sha256');
    try {
      for await (const chunk of createReadStream(this.path(output)) as AsyncIterable<Buffer>) hash.update(chunk);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    return hash.digest('hex');
  }

  /** Digests of those files that are there. */
  async delivered(outputs: readonly string[]): Promise<string[]> {
    const digests = await Promise.all(outputs.map((output) => this.sha256(output)));
    return digests.filter((digest) => digest !== undefined);
  }

  /** Ends whatever still runs, and deletes what a step has received. */
  async clear(outputs: readonly string[]): Promise<void> {
    for (const player of this.#players) player.kill('SIGKILL');
    await Promise.all([...this.#players].map(({ exited }) => exited));
    this.#players.clear();
    for (const output of outputs) {
      await unlink(this.path(output)).catch(() => {});
      await unlink(this.path(`${output}.part`)).catch(() => {});
    }
  }

  #start(name: string, args: readonly string[]): Player {
    const player = new Player(name, args);
    this.#players.add(player);
    return player;
  }

  /** Shows a sender's progress while `promise` is waited for; undefined at the deadline. */
  async #watched<T>(sender: Player, promise: Promise<T>): Promise<T | undefined> {
    const startedAt = performance.now();
    const timer = setInterval(() => {
      const percent = Math.min(100, Math.floor((sender.bytes / this.setting.bytes) * 100));
      this.#reporter.status(`  ${String(percent).padStart(3)}%  ${formatBytes(sender.bytes)} confirmed, ${formatDuration(performance.now() - startedAt)}`);
    }, STATUS_INTERVAL_MS);
    let deadline: NodeJS.Timeout | undefined;
    try {
      return await Promise.race([
        promise,
        new Promise<undefined>((resolve) => {
          deadline = setTimeout(() => resolve(undefined), DEADLINE_MS);
        }),
      ]);
    } finally {
      clearInterval(timer);
      clearTimeout(deadline);
      this.#reporter.clearStatus();
    }
  }
}
