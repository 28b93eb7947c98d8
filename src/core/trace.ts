import type { Millis } from './machine.ts';

/** One observable fact, as a flat record: it becomes a JSON line, a counter, or part of a trace hash. */
export interface TraceEvent {
  readonly type: string;
  readonly [field: string]: string | number | boolean | undefined;
}

/** Where events go. Whoever has no sink pays one branch. */
export interface Sink {
  emit(now: Millis, event: TraceEvent): void;
}
