import type { TraceEvent } from '../core/trace.ts';
import { formatBytes, formatDuration } from '../core/units.ts';
import type { LogFile } from '../net/log-file.ts';
import { Coverage, COVERAGE } from '../sim/coverage.ts';
import { drawScenario } from '../sim/draw.ts';
import type { EndReport, SimResult } from '../sim/result.ts';
import { formatScenario } from '../sim/scenario.ts';
import { runScenario } from '../sim/world.ts';
import type { Reporter } from './output.ts';
import type { Seeds } from './sim-run.ts';
import type { SimArgs } from './sim.ts';

/** Worlds of the transport: two hosts and more, and every segment between them. */
export class TransportSeeds implements Seeds {
  readonly meanings = COVERAGE;
  readonly #coverage = new Coverage();
  readonly #args: SimArgs;
  readonly #out: Reporter;
  readonly #log: LogFile | undefined;

  constructor(args: SimArgs, out: Reporter, log: LogFile | undefined) {
    this.#args = args;
    this.#out = out;
    this.#log = log;
  }

  get coverage(): Readonly<Record<string, number>> {
    return this.#coverage.counts;
  }

  run(seed: number): SimResult {
    const { count, trace } = this.#args;
    const scenario = drawScenario(seed);
    if (count === 1) this.#out.info(formatScenario(scenario));
    const result = runScenario(scenario, trace || this.#log !== undefined ? { onTrace: (now, host, event) => this.#traced(now, host, event) } : {});
    this.#coverage.addAll(result.coverage);
    this.#out.json({ type: 'world', theme: scenario.theme, ...result });
    if (count === 1) this.#out.result(summary(result));
    for (const { checker, atMs, host, message } of result.violations) {
      this.#out.result(`VIOLATION seed ${seed} at ${formatDuration(atMs)}${host === '' ? '' : ` by ${host}`}: ${checker}: ${message}`);
    }
    if (result.violations.length > 0 && count > 1) this.#out.result(`replay with: failmask sim --seed ${seed} --trace`);
    return result;
  }

  #traced(now: number, host: string, event: TraceEvent): void {
    this.#log?.emit(now, { host, ...event });
    if (!this.#args.trace) return;
    this.#out.info(formatEvent(now, host, event));
    this.#out.json({ type: 'trace', timeMs: now, host, event });
  }
}

function summary(result: SimResult): string {
  const ends = result.connections.flatMap(({ client, server }, i) => [
    formatEnd(`connection ${i}, client`, client),
    ...(server === undefined ? [`connection ${i}, server: never got there`] : [formatEnd(`connection ${i}, server`, server)]),
  ]);
  return [
    ...ends,
    `${result.datagrams} datagrams in ${formatDuration(result.endedAtMs)} of virtual time, trace ${result.traceHash}`,
    result.violations.length === 0 ? 'every checker agrees' : `${result.violations.length} violations`,
  ].join('\n');
}

function formatEnd(name: string, end: EndReport): string {
  return `${name}: ${end.outcome}, wrote ${formatBytes(end.writtenBytes)}, read ${formatBytes(end.readBytes)}, ${end.retransmissions} retransmissions`;
}

function formatEvent(now: number, host: string, event: TraceEvent): string {
  const { type, ...fields } = event;
  const text = Object.entries(fields).map(([name, value]) => (name === 'segment' ? String(value) : `${name}=${String(value)}`));
  return `${now.toFixed(3).padStart(12)} ${host.padEnd(8)} ${type.padEnd(8)} ${text.join(' ')}`;
}
