import type { Event } from './workload.ts';

/**
 * Of keys to which was only appended: each piece is there once at most, those that were acknowledged before the look are there, and what
 * one look found is the beginning of what a later one finds. Returns what is wrong. Values are pieces that end in ";".
 */
export function checkAppends(history: readonly Event[], isAppendOnly: (key: string) => boolean): string[] {
  const wrong: string[] = [];
  const byKey = new Map<string, Event[]>();
  for (const event of history) {
    if (!isAppendOnly(event.key)) continue;
    const events = byKey.get(event.key) ?? [];
    byKey.set(event.key, events);
    events.push(event);
  }
  for (const [key, events] of byKey) {
    const looks = events.filter(({ op, ok }) => op === 'get' && ok === true);
    const refused = new Set(events.filter(({ op, ok }) => op === 'append' && ok === false).map(({ value }) => value));
    const appends = events.filter(({ op, ok }) => op === 'append' && ok === true);
    let longest = '';
    for (const look of looks) {
      const found = typeof look.result === 'string' ? look.result : '';
      const pieces = found.split(';').filter((piece) => piece !== '').map((piece) => `${piece};`);
      const once = new Set(pieces);
      if (once.size < pieces.length) wrong.push(`${key}: ${pieces.find((piece, i) => pieces.indexOf(piece) < i)} was appended twice`);
      for (const piece of pieces) if (refused.has(piece)) wrong.push(`${key}: ${piece} is there, and its client was told that it was not executed`);
      for (const { value, complete } of appends) {
        if (complete! < look.invoke && !once.has(String(value))) wrong.push(`${key}: ${value} was acknowledged and is gone`);
      }
      const [short, long] = found.length < longest.length ? [found, longest] : [longest, found];
      if (!long.startsWith(short)) wrong.push(`${key}: two looks found different orders`);
      longest = long;
      if (wrong.length > 5) return wrong;
    }
  }
  return wrong;
}
