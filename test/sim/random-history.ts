import type { Random } from '../../src/core/random.ts';
import type { HistoryEvent, HistoryOp, HistoryValue } from '../../src/group/history.ts';
import { stepKey, type KeyState } from '../../src/sim/kv-model.ts';

export interface HistoryShape {
  readonly operations: number;
  readonly clients: number;
  /** Live at a time. */
  readonly keys: number;
  /** A key is left for a new one after so many operations. */
  readonly rotateAfter: number;
  /** Drawn from, with repetitions for weight. */
  readonly ops: readonly HistoryOp[];
  /** Of an outcome that stays unknown. */
  readonly unknown: number;
  /** Of an operation of unknown outcome to be carried out after all, then or later. */
  readonly unknownHappens: number;
  /** Times a thousand operations at which everybody hangs for long. */
  readonly stallsPerThousand: number;
  readonly notesLengths: boolean;
}

export const SHAPE: HistoryShape = {
  operations: 2000, clients: 8, keys: 5, rotateAfter: 300, ops: ['get', 'get', 'get', 'put', 'cas', 'cas', 'append', 'del'], unknown: 0.03, unknownHappens: 0.5,
  stallsPerThousand: 2, notesLengths: true,
};

interface Draft {
  event: HistoryEvent;
  /** When it takes effect; Infinity: never. */
  readonly at: number;
}

/**
 * What clients see of a store that does each operation at one moment between its invocation and its answer: linearizable by construction.
 * Values are unique. An operation of unknown outcome is carried out at some time after its invocation, or never.
 */
export function randomHistory(random: Random, changes: Partial<HistoryShape> = {}): HistoryEvent[] {
  const shape = { ...SHAPE, ...changes };
  const drafts = draw(random, shape);
  const states = new Map<string, KeyState>();
  for (const draft of [...drafts].filter(({ at }) => at !== Infinity).sort((a, b) => a.at - b.at)) {
    const { event } = draft;
    const state = states.get(event.key) ?? null;
    const next = stepKey(state, { ...event, ok: null })!;
    states.set(event.key, next);
    if (event.ok === true) draft.event = { ...event, result: resultOf(event, state, next, shape.notesLengths) };
  }
  return drafts.map(({ event }) => event);
}

function resultOf({ op, old }: HistoryEvent, state: KeyState, next: KeyState, notesLengths: boolean): HistoryValue {
  switch (op) {
    case 'get':
      return state;
    case 'cas':
      return state === old;
    case 'del':
      return state !== null;
    case 'append':
      return notesLengths ? String(next).length : null;
    case 'put':
      return null;
  }
}

function draw(random: Random, shape: HistoryShape): Draft[] {
  const clients = Array.from({ length: shape.clients }, (_, i) => ({ process: i, freeAt: random.below(50) }));
  const keys = Array.from({ length: shape.keys }, (_, i) => ({ name: `k${i}`, operations: 0, latest: null as string | null }));
  let generation = shape.keys;
  let processes = shape.clients;
  let stalledUntil = 0;
  const drafts: Draft[] = [];
  for (let i = 0; i < shape.operations; i++) {
    const client = clients.reduce((a, b) => (b.freeAt < a.freeAt ? b : a));
    const invoke = client.freeAt + random.below(10);
    if (random.chance(shape.stallsPerThousand / 1000)) stalledUntil = invoke + 2000;
    const complete = Math.max(invoke + 1 + Math.round(random.exponential(60)), invoke < stalledUntil ? stalledUntil + random.below(100) : 0);
    const key = keys[random.below(keys.length)]!;
    if (key.operations++ >= shape.rotateAfter) Object.assign(key, { name: `k${generation++}`, operations: 1, latest: null });
    const op = shape.ops[random.below(shape.ops.length)]!;
    const isUnknown = random.chance(shape.unknown);
    const value = op === 'get' || op === 'del' ? null : op === 'append' ? `+${i};` : `v${i}`;
    const old = op === 'cas' && random.chance(0.9) ? key.latest : op === 'cas' ? 'never there' : null;
    if (op === 'put' || op === 'cas') key.latest = value;
    const event: HistoryEvent = { process: client.process, key: key.name, op, value, old, result: null, invoke, complete: isUnknown ? null : complete, ok: isUnknown ? null : true };
    // Strictly between, so that no two take effect at once at the end of one and the beginning of another.
    const within = invoke + (complete - invoke) * (0.01 + 0.98 * random.unit());
    const later = random.chance(0.3) ? complete + random.exponential(500) : within;
    drafts.push({ event, at: !isUnknown ? within : random.chance(shape.unknownHappens) ? later : Infinity });
    client.freeAt = complete + 1;
    if (isUnknown) client.process = processes++;
  }
  return drafts;
}

/**
 * The same with one read that found what was overwritten long before: a value that one known put alone wrote, and after whose end another known
 * put began and ended before the read was asked for. No order explains that. Undefined if the history has no such place.
 */
export function withStaleRead(history: readonly HistoryEvent[], random: Random): HistoryEvent[] | undefined {
  const places: { readonly read: number; readonly value: HistoryValue }[] = [];
  history.forEach((read, i) => {
    if (read.op !== 'get' || read.ok !== true) return;
    const puts = history.filter(({ op, ok, key, complete }) => op === 'put' && ok === true && key === read.key && complete! < read.invoke);
    for (const put of puts) if (puts.some(({ invoke }) => invoke > put.complete!)) places.push({ read: i, value: put.value });
  });
  if (places.length === 0) return undefined;
  const { read, value } = places[random.below(places.length)]!;
  return history.map((event, i) => (i === read ? { ...event, result: value } : event));
}

/** The same with one acknowledged append that, by every later length or read, was carried out twice. Undefined if nobody looked later. */
export function withDoubledAppend(history: readonly HistoryEvent[], random: Random): HistoryEvent[] | undefined {
  const seen = history.filter(({ op, ok, value, key }) => op === 'append' && ok === true && history.some((look) => look.op === 'get' && look.key === key && String(look.result).includes(`${value}`)));
  if (seen.length === 0) return undefined;
  const { key, value } = seen[random.below(seen.length)]!;
  const piece = String(value);
  return history.map((event) => (event.op === 'get' && event.key === key && typeof event.result === 'string' ? { ...event, result: event.result.replace(piece, piece + piece) } : event));
}
