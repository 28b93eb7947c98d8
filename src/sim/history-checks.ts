import type { HistoryEvent, HistoryValue } from '../group/history.ts';
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

function byKey(history: readonly HistoryEvent[]): Map<string, HistoryEvent[]> {
  const keys = new Map<string, HistoryEvent[]>();
  for (const event of history) {
    const events = keys.get(event.key);
    if (events === undefined) keys.set(event.key, [event]);
    else events.push(event);
  }
  return keys;
}

/** What was surely there: what a read found, and the old value of a cas that succeeded. */
function foundBy({ op, ok, old, result }: HistoryEvent): HistoryValue {
  if (ok !== true) return null;
  return op === 'get' ? result : op === 'cas' && result === true ? old : null;
}

/** Keys that are written in every way: each value that was found begins with what a put, a cas or an append wrote. */
function checkSources(events: readonly HistoryEvent[]): string[] {
  const complaints: string[] = [];
  const appends = events.filter(({ op }) => op === 'append');
  const written = new Map<HistoryValue, HistoryEvent>();
  for (const event of events) if (event.op === 'put' || event.op === 'cas') written.set(event.value, event);
  for (const look of events) {
    const value = foundBy(look);
    if (value === null) continue;
    const source = written.get(value);
    if (source !== undefined) {
      const problem = sourceProblem(look, source);
      if (problem !== undefined && !isAssembled(String(value), [...written.keys()].filter((each) => each !== value), appends)) complaints.push(problem);
    } else if (!isAssembled(String(value), [...written.keys()], appends)) {
      complaints.push(`process ${look.process} found ${showValue(value)}, which nobody wrote`);
    }
  }
  return complaints;
}

function sourceProblem(look: HistoryEvent, source: HistoryEvent): string | undefined {
  const found = `process ${look.process} found ${showValue(source.value)}`;
  if (source.ok === false) return `${found}, of which process ${source.process} was told that it was not executed`;
  if (source.op === 'cas' && source.ok === true && source.result !== true) return `${found}, of which process ${source.process} was told that the cas failed`;
  return source.invoke > look.complete! ? `${found}, which was written only later` : undefined;
}

/** Whether the text is what was appended, one behind the other and each once, perhaps behind a value that was written. */
function isAssembled(text: string, written: readonly HistoryValue[], appends: readonly HistoryEvent[]): boolean {
  if (appends.length === 0) return false;
  const pieces = appends.filter(({ ok }) => ok !== false).map(({ value }) => String(value)).filter((piece) => piece !== '');
  const beginnings = written.map(String).filter((value) => text.startsWith(value));
  return ['', ...beginnings].some((beginning) => takeApart(text, beginning.length, pieces) !== undefined);
}

/** The pieces of which a text consists from `at` on, each used as often as it likes; undefined if it can't be taken apart. */
function takeApart(text: string, at: number, pieces: readonly string[]): string[] | undefined {
  // By place: the piece that leads there, on the first way found.
  const reached = new Map<number, string>([[at, '']]);
  const open = [at];
  while (open.length > 0 && !reached.has(text.length)) {
    const from = open.pop()!;
    for (const piece of pieces) {
      const to = from + piece.length;
      if (reached.has(to) || !text.startsWith(piece, from)) continue;
      reached.set(to, piece);
      open.push(to);
    }
  }
  if (!reached.has(text.length)) return undefined;
  const parts: string[] = [];
  for (let end = text.length; end > at; end -= reached.get(end)!.length) parts.push(reached.get(end)!);
  return parts.reverse();
}

function checkLog(events: readonly HistoryEvent[]): string[] {
  const complaints: string[] = [];
  const appends = new Map(events.filter(({ op }) => op === 'append').map((event) => [String(event.value), event]));
  const acknowledged = [...appends.values()].filter(({ ok }) => ok === true).sort((a, b) => a.complete! - b.complete!);
  const looks = events.filter(({ op, ok }) => op === 'get' && ok === true).sort((a, b) => a.complete! - b.complete!);
  let longest: HistoryEvent | undefined;
  for (const look of looks) {
    if (complaints.length >= MAX_COMPLAINTS) break;
    const text = look.result === null ? '' : String(look.result);
    const who = `process ${look.process}`;
    const parts = takeApart(text, 0, [...appends.keys()].filter((piece) => piece !== ''));
    if (parts === undefined) {
      complaints.push(`${who} found ${showValue(text)}, which is not made of what was appended`);
      continue;
    }
    const once = new Set(parts);
    const twice = parts.find((piece, i) => parts.indexOf(piece) < i);
    if (once.size < parts.length) complaints.push(`${who} found ${showValue(twice!)} twice`);
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
