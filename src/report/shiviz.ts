import type { Millis } from '../core/machine.ts';
import type { Sink, TraceEvent } from '../core/trace.ts';

/**
 * A protocol trace as a log for ShiViz, which draws who knew of what. Vector clocks (Fidge 1988, Mattern 1989) are made here, from pairs of
 * events `send` and `receive` that carry the same `message`; who sends and receives knows nothing of them. An event is its member's
 * next: its own entry grows by one, and a receipt takes over what the sender knew.
 *
 * A file begins with the pattern of its lines, which ShiViz reads from there, and a line for a delimiter of executions: none.
 */
export const SHIVIZ_PATTERN = '(?<host>\\S+) (?<clock>\\{[^}]*\\}) (?<event>.*)';

export interface ShiVizOptions {
  /** Messages under way that are remembered; beyond that the oldest counts as lost. Default 100,000. */
  readonly maxUnderWay?: number;
  /** Lines kept; later events are counted, not written. Default 1,000,000. */
  readonly maxLines?: number;
}

/** By member, of those that it has heard of, itself included. */
type Clock = ReadonlyMap<string, number>;

/** Fields that say where and when, not what. */
const PLACE_FIELDS = new Set(['type', 'member', 'message']);

export class ShiVizLog implements Sink {
  readonly #maxUnderWay: number;
  readonly #maxLines: number;
  readonly #clocks = new Map<string, Map<string, number>>();
  readonly #underWay = new Map<string, Clock>();
  readonly #lines: string[] = [];
  /**
   * Events without a member, receipts of what nobody is known to have sent (they stand in the log, without the sender's knowledge), messages
   * forgotten because too many were under way, and events that there was no room for.
   */
  readonly counters = { withoutMember: 0, unmatched: 0, forgotten: 0, omitted: 0 };

  constructor({ maxUnderWay = 100_000, maxLines = 1_000_000 }: ShiVizOptions = {}) {
    this.#maxUnderWay = maxUnderWay;
    this.#maxLines = maxLines;
  }

  /** A message that is received twice tells nothing new the second time; one that is lost is never received. */
  emit(now: Millis, event: TraceEvent): void {
    const { type, member } = event;
    if (member === undefined || String(member) === '') {
      this.counters.withoutMember++;
      return;
    }
    if (this.#lines.length >= this.#maxLines) {
      this.counters.omitted++;
      return;
    }
    const host = hostName(String(member));
    const clock = this.#clockOf(host);
    const message = event['message'] === undefined ? undefined : String(event['message']);
    if (type === 'receive') this.#receive(clock, message);
    clock.set(host, (clock.get(host) ?? 0) + 1);
    if (type === 'send' && message !== undefined) this.#send(message, clock);
    const entries = [...clock].sort(([a], [b]) => (a < b ? -1 : 1));
    this.#lines.push(`${host} ${JSON.stringify(Object.fromEntries(entries))} ${describe(now, event)}`);
  }

  /** The whole file. */
  text(): string {
    return [SHIVIZ_PATTERN, '', ...this.#lines].map((line) => `${line}\n`).join('');
  }

  #clockOf(host: string): Map<string, number> {
    let clock = this.#clocks.get(host);
    if (clock === undefined) this.#clocks.set(host, (clock = new Map()));
    return clock;
  }

  #send(message: string, clock: Clock): void {
    this.#underWay.set(message, new Map(clock));
    if (this.#underWay.size <= this.#maxUnderWay) return;
    this.#underWay.delete(this.#underWay.keys().next().value!);
    this.counters.forgotten++;
  }

  #receive(clock: Map<string, number>, message: string | undefined): void {
    const sent = message === undefined ? undefined : this.#underWay.get(message);
    if (sent === undefined) {
      this.counters.unmatched++;
      return;
    }
    for (const [host, count] of sent) if (count > (clock.get(host) ?? 0)) clock.set(host, count);
  }
}

/** Of a trace in a file, a JSON object a line, with its time in `field`, in milliseconds. Empty lines are passed over. Throws RangeError for a line that is none. */
export function shiVizFromLines(text: string, field = 'ms', options: ShiVizOptions = {}): ShiVizLog {
  const log = new ShiVizLog(options);
  text.split('\n').forEach((line, i) => {
    if (line.trim() === '') return;
    const { [field]: at, ...event } = parseLine(line, i + 1);
    if (typeof at !== 'number' || typeof event['type'] !== 'string') throw new RangeError(`line ${i + 1}: no event with "type" and "${field}"`);
    log.emit(at, event as TraceEvent);
  });
  return log;
}

function parseLine(line: string, number: number): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    throw new RangeError(`line ${number}: not JSON`);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new RangeError(`line ${number}: not an object`);
  return parsed as Record<string, unknown>;
}

/** A name ends at a blank, and a clock at a brace. */
function hostName(member: string): string {
  return member.replace(/[\s{}"\\]+/gu, '_');
}

function describe(now: Millis, event: TraceEvent): string {
  const fields = Object.entries(event).filter(([name, value]) => !PLACE_FIELDS.has(name) && value !== undefined && value !== '');
  return [`${now.toFixed(3)} ms ${event.type}`, ...fields.map(([name, value]) => `${name} ${String(value)}`)].join(' ').replace(/\s+/gu, ' ');
}
