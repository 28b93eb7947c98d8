import { byKey, type HistoryEvent, type HistoryValue } from '../group/history.ts';
import { showValue } from './wgl/operation-text.ts';

/** Complaints kept; more say the same. */
const MAX_COMPLAINTS = 10;

/**
 * Simple rules that every history of a key-value store obeys: weaker than linearizability, but each says at once what is wrong, and none
 * searches. Assumes that values are unique and that nothing was there at the beginning. Returns complaints, at most ten.
 *  - A value that was found was written by somebody, and not by somebody who was told that it was not executed, nor only later.
 *  - On keys to which was only appended: no acknowledged append is missing from a read that began afterwards, none is there twice, and of two
 *    reads that do not overlap the later continues the earlier.
 */
export function checkHistory(history: readonly HistoryEvent[]): string[] {
  const complaints: string[] = [];
  for (const [key, events] of byKey(history)) {
    const isLog = events.every(({ op }) => op === 'append' || op === 'get') && events.some(({ op }) => op === 'append');
    const found = isLog ? checkLog(events) : checkSources(events);
    complaints.push(...found.map((complaint) => `key ${showValue(key)}: ${complaint}`));
    if (complaints.length >= MAX_COMPLAINTS) break;
  }
  return complaints.slice(0, MAX_COMPLAINTS);
}

/** What was surely there: what a read found, and the old value of a cas that succeeded. */
function foundBy({ op, ok, old, result }: HistoryEvent): HistoryValue {
  if (ok !== true) return null;
  return op === 'get' ? result : op === 'cas' && result === true ? old : null;
}

/** Keys that are written in every way: each value that was found begins with what a put, a cas or an append wrote. */
function checkSources(events: readonly HistoryEvent[]): string[] {
  const complaints: string[] = [];
  const written = new Map<HistoryValue, HistoryEvent>();
  for (const event of events) if (event.op === 'put' || event.op === 'cas') written.set(event.value, event);
  const pieces = piecesOf(events.filter(({ ok }) => ok !== false));
  for (const look of events) {
    const value = foundBy(look);
    if (value === null) continue;
    const source = written.get(value);
    const problem = source === undefined ? `process ${look.process} found ${showValue(value)}, which nobody wrote` : sourceProblem(look, source);
    if (problem === undefined) continue;
    const parts = assembly(String(value), written, pieces);
    if (parts === undefined) complaints.push(problem);
    else if (new Set(parts).size < parts.length) complaints.push(`process ${look.process} found ${showValue(firstTwice(parts))} twice`);
  }
  return complaints;
}

function sourceProblem(look: HistoryEvent, source: HistoryEvent): string | undefined {
  const found = `process ${look.process} found ${showValue(source.value)}`;
  if (source.ok === false) return `${found}, of which process ${source.process} was told that it was not executed`;
  if (source.op === 'cas' && source.ok === true && source.result !== true) return `${found}, of which process ${source.process} was told that the cas failed`;
  return source.invoke > look.complete! ? `${found}, which was written only later` : undefined;
}

/** Pieces that were appended, by their lengths. */
type Pieces = ReadonlyMap<number, ReadonlySet<string>>;

function piecesOf(events: readonly HistoryEvent[]): Pieces {
  const pieces = new Map<number, Set<string>>();
  for (const { op, value } of events) {
    if (op !== 'append' || value === '') continue;
    const piece = String(value);
    const alike = pieces.get(piece.length);
    if (alike === undefined) pieces.set(piece.length, new Set([piece]));
    else alike.add(piece);
  }
  return pieces;
}

/** The pieces of which a text consists, perhaps behind a value that was written; undefined if it does not. */
function assembly(text: string, written: ReadonlyMap<HistoryValue, HistoryEvent>, pieces: Pieces): string[] | undefined {
  if (pieces.size === 0) return undefined;
  const beginnings = ['', ...[...written.keys()].map(String).filter((value) => value !== text && text.startsWith(value))];
  let found: string[] | undefined;
  for (const beginning of beginnings) {
    const parts = takeApart(text, beginning.length, pieces);
    if (parts === undefined) continue;
    if (new Set(parts).size === parts.length) return parts;
    found ??= parts;
  }
  return found;
}

/** The pieces of which a text consists from `at` on, on the first way found; undefined if it can't be taken apart. */
function takeApart(text: string, at: number, pieces: Pieces): string[] | undefined {
  /** By place: the length of the piece that leads there. */
  const reached = new Map<number, number>([[at, 0]]);
  const open = [at];
  while (open.length > 0 && !reached.has(text.length)) {
    const from = open.pop()!;
    for (const [length, alike] of pieces) {
      if (reached.has(from + length) || !alike.has(text.slice(from, from + length))) continue;
      reached.set(from + length, length);
      open.push(from + length);
    }
  }
  if (!reached.has(text.length)) return undefined;
  const parts: string[] = [];
  for (let end = text.length; end > at; end -= reached.get(end)!) parts.push(text.slice(end - reached.get(end)!, end));
  return parts.reverse();
}

function firstTwice(parts: readonly string[]): string {
  return parts.find((piece, i) => parts.indexOf(piece) < i) ?? '';
}

function checkLog(events: readonly HistoryEvent[]): string[] {
  const complaints: string[] = [];
  const appends = new Map(events.filter(({ op }) => op === 'append').map((event) => [String(event.value), event]));
  const acknowledged = [...appends.values()].filter(({ ok }) => ok === true).sort((a, b) => a.complete! - b.complete!);
  const looks = events.filter(({ op, ok }) => op === 'get' && ok === true).sort((a, b) => a.complete! - b.complete!);
  const pieces = piecesOf(events);
  let longest: HistoryEvent | undefined;
  for (const look of looks) {
    if (complaints.length >= MAX_COMPLAINTS) break;
    const text = look.result === null ? '' : String(look.result);
    const who = `process ${look.process}`;
    const parts = takeApart(text, 0, pieces);
    if (parts === undefined) {
      complaints.push(`${who} found ${showValue(text)}, which is not made of what was appended`);
      continue;
    }
    const once = new Set(parts);
    if (once.size < parts.length) complaints.push(`${who} found ${showValue(firstTwice(parts))} twice`);
    for (const piece of once) {
      const source = appends.get(piece)!;
      if (source.ok === false) complaints.push(`${who} found ${showValue(piece)}, of which process ${source.process} was told that it was not executed`);
      else if (source.invoke > look.complete!) complaints.push(`${who} found ${showValue(piece)}, which was appended only later`);
    }
    const lost = acknowledged.find(({ value, complete }) => complete! < look.invoke && value !== '' && !once.has(String(value)));
    if (lost !== undefined) complaints.push(`${who} did not find ${showValue(lost.value)}, which process ${lost.process} was told was appended`);
    const before = longest === undefined || longest.result === null ? '' : String(longest.result);
    const [short, long] = text.length < before.length ? [text, before] : [before, text];
    if (!long.startsWith(short)) complaints.push(`${who} found ${showValue(text)}, and process ${longest!.process} ${showValue(before)}: two orders`);
    else if (text.length < before.length && longest!.complete! < look.invoke) complaints.push(`${who} found less than process ${longest!.process} before`);
    if (text.length >= before.length) longest = look;
  }
  return complaints;
}
