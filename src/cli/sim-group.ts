import { writeFileSync } from 'node:fs';

import type { Millis } from '../core/machine.ts';
import type { Sink, TraceEvent } from '../core/trace.ts';
import { formatDuration } from '../core/units.ts';
import type { Mode } from '../group/modes.ts';
import type { LogFile } from '../net/log-file.ts';
import { ShiVizLog } from '../report/shiviz.ts';
import { textTable } from '../report/table.ts';
import { drawGroup, formatGroupScenario } from '../sim/group/draw-group.ts';
import { GROUP_COVERAGE, GROUP_COVERAGE_NAMES, GroupCoverage } from '../sim/group/group-coverage.ts';
import { describeGroupFailure, runGroupSeed, type GroupResult } from '../sim/group-run.ts';
import { LEGEND } from '../sim/group/transition-log.ts';
import type { Reporter } from './output.ts';
import type { Seeds } from './sim-run.ts';
import type { SimArgs } from './sim.ts';

/** Worlds of a replicated group: whole messages between members with disks, and clients whose history is judged. */
export class GroupSeeds implements Seeds {
  readonly meanings = GROUP_COVERAGE;
  readonly #mode: Mode;
  readonly #args: SimArgs;
  readonly #out: Reporter;
  readonly #log: LogFile | undefined;
  readonly #coverage = new GroupCoverage();

  constructor(mode: Mode, args: SimArgs, out: Reporter, log: LogFile | undefined) {
    this.#mode = mode;
    this.#args = args;
    this.#out = out;
    this.#log = log;
  }

  get coverage(): Readonly<Record<string, number>> {
    return this.#coverage.counts;
  }

  /** Throws the system's error when the file of --shiviz cannot be written. */
  run(seed: number): GroupResult {
    const { count, trace, shiviz, detector } = this.#args;
    if (count === 1) this.#out.info([`seed ${seed} of ${this.#mode}`, ...formatGroupScenario(drawGroup(this.#mode, seed))].join('\n'));
    const picture = shiviz === undefined ? undefined : new ShiVizLog();
    const result = runGroupSeed(this.#mode, seed, { ...(trace ? { keepLines: Infinity } : {}), ...(detector === undefined ? {} : { detector }), sink: this.#sink(picture) });
    if (shiviz !== undefined) writeFileSync(shiviz, picture!.text());
    this.#coverage.addAll(result.coverage);
    this.#report(result);
    return result;
  }

  #sink(picture: ShiVizLog | undefined): Sink | undefined {
    const { trace, json } = this.#args;
    const sinks: Sink[] = [...(this.#log === undefined ? [] : [this.#log]), ...(picture === undefined ? [] : [picture])];
    if (trace && json) sinks.push({ emit: (now, { member, ...event }) => this.#out.json({ type: 'trace', timeMs: now, host: member, event }) });
    if (sinks.length === 0) return undefined;
    return {
      emit(now: Millis, event: TraceEvent): void {
        for (const sink of sinks) sink.emit(now, event);
      },
    };
  }

  #report(result: GroupResult): void {
    const { seed, violations, transitions, history: _history, scenario, ...facts } = result;
    const isGood = violations.length === 0;
    this.#out.json({ type: 'world', ...facts, seed, violations, scenario: { ...scenario, faults: Object.fromEntries(scenario.faults) }, ...(isGood ? {} : { transitions }) });
    if (this.#args.trace && isGood) this.#out.info([LEGEND, ...transitions].join('\n'));
    if (!isGood) this.#out.result(describeGroupFailure(result));
    if (this.#args.count > 1) return;
    const met = GROUP_COVERAGE_NAMES.filter((name) => result.coverage[name] > 0).map((name) => [name, result.coverage[name], GROUP_COVERAGE[name]]);
    this.#out.info(textTable(['came across', 'times', 'what'], met));
    this.#out.result(`${result.messages} messages in ${formatDuration(result.endedAtMs)} of virtual time, trace ${result.traceHash}`);
    const agreed = result.coverage['history not judged'] === 0 ? 'every checker agrees' : 'no rule was broken, but the history of the clients was not judged';
    this.#out.result(isGood ? agreed : `${violations.length} violations`);
  }
}
