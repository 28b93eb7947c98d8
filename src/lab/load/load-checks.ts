import { byKey, type HistoryEvent } from '../../group/history.ts';

/** Something that a run must show, and what it showed. */
export interface Check {
  readonly name: string;
  readonly found: string;
  readonly isMet: boolean;
}

const VALUE = /v\d+/g;

/** Whether the work was as hard as it should be: few keys in use at a time, rotated, values that occur once, enough compare-and-set. */
export function workloadChecks(history: readonly HistoryEvent[], demands: { readonly keys: number; readonly rotateAfter: number; readonly casShare: number }): Check[] {
  const { keys, rotateAfter, casShare } = demands;
  const written = history.map(({ value }) => value).filter((value) => value !== null);
  const live = mostKeysAtOnce(history);
  const busiest = Math.max(0, ...[...byKey(history).values()].map(({ length }) => length));
  const cas = history.filter(({ op }) => op === 'cas').length / Math.max(1, history.length);
  return [
    { name: `keys in use at a time: at most ${keys}`, found: String(live), isMet: live <= keys },
    { name: `operations on one key: at most ${rotateAfter}`, found: String(busiest), isMet: busiest <= rotateAfter },
    { name: 'values written: each once', found: `${new Set(written).size} of ${written.length}`, isMet: new Set(written).size === written.length },
    { name: `compare-and-set: at least ${(casShare * 100).toFixed(0)} %`, found: `${(cas * 100).toFixed(1)} %`, isMet: cas >= casShare },
  ];
}

/**
 * Two simple checks beside the linearizability checker, for histories in which every key is read when all work is over: that what was
 * acknowledged and could not have been overwritten is in that last read, and that no read holds a value twice.
 */
export function survivalChecks(history: readonly HistoryEvent[]): Check[] {
  const { judged, lost } = lostWrites(history);
  const reads = history.filter(({ op, ok }) => op === 'get' && ok === true);
  const doubled = reads.filter(({ result }) => holdsTwice(String(result ?? '')));
  return [
    { name: 'acknowledged writes that nothing can have overwritten, lost: none', found: lost.length === 0 ? `none of ${judged}` : `${lost.length} of ${judged}, ${String(lost[0]!.value)} first`, isMet: lost.length === 0 },
    { name: 'values applied twice: none', found: doubled.length === 0 ? `none in ${reads.length} reads` : `in ${doubled.length} of ${reads.length} reads`, isMet: doubled.length === 0 && reads.length > 0 },
  ];
}

function lostWrites(history: readonly HistoryEvent[]): { readonly judged: number; readonly lost: readonly HistoryEvent[] } {
  let judged = 0;
  const lost: HistoryEvent[] = [];
  for (const events of byKey(history).values()) {
    const lastRead = events.filter(({ op, ok }) => op === 'get' && ok === true).sort((a, b) => a.invoke - b.invoke).at(-1);
    if (lastRead === undefined) continue;
    const overwriting = events.filter(({ op, ok, result }) => (op === 'put' || op === 'del' || (op === 'cas' && result !== false)) && ok !== false);
    const values = new Set(String(lastRead.result ?? '').match(VALUE));
    for (const event of events) {
      if (!isAcknowledged(event) || event.complete! > lastRead.invoke) continue;
      if (overwriting.some((other) => other !== event && (other.complete ?? Infinity) >= event.invoke)) continue;
      judged++;
      if (!values.has(String(event.value))) lost.push(event);
    }
  }
  return { judged, lost };
}

function isAcknowledged({ op, ok, result }: HistoryEvent): boolean {
  return ok === true && (op === 'put' || op === 'append' || (op === 'cas' && result === true));
}

function holdsTwice(text: string): boolean {
  const values = text.match(VALUE) ?? [];
  return new Set(values).size < values.length;
}

/** A key is in use from the first operation that was begun on it to the last. */
function mostKeysAtOnce(history: readonly HistoryEvent[]): number {
  const steps: { readonly at: number; readonly change: number }[] = [];
  for (const events of byKey(history).values()) {
    const begun = events.map(({ invoke }) => invoke);
    steps.push({ at: begun.reduce((a, b) => Math.min(a, b)), change: 1 }, { at: begun.reduce((a, b) => Math.max(a, b)), change: -1 });
  }
  let live = 0;
  let most = 0;
  for (const { change } of steps.sort((a, b) => a.at - b.at || a.change - b.change)) {
    live += change;
    most = Math.max(most, live);
  }
  return most;
}
