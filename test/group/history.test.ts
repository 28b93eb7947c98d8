import { describe, expect, it } from 'vitest';

import { encodeHistoryEvent, HistoryError, parseHistory, parseHistoryEvent, type HistoryEvent } from '../../src/group/history.ts';

const EVENT: HistoryEvent = { process: 3, op: 'put', key: 'k', value: 'v', old: null, result: null, invoke: 5, complete: 9, ok: true };

function event(changes: Partial<Record<keyof HistoryEvent, unknown>>): HistoryEvent {
  return { ...EVENT, ...changes } as HistoryEvent;
}

const GOOD: readonly (readonly [string, HistoryEvent])[] = [
  ['a put', EVENT],
  ['a get', event({ op: 'get', value: null, result: 'v' })],
  ['a get of nothing', event({ op: 'get', value: null, result: null })],
  ['a cas', event({ op: 'cas', old: 'u', result: true })],
  ['a cas that did not succeed, which is ok all the same', event({ op: 'cas', old: 'u', result: false })],
  ['a cas on nothing', event({ op: 'cas', old: null, result: true })],
  ['an append with its length', event({ op: 'append', result: 7 })],
  ['an append without it', event({ op: 'append' })],
  ['a del', event({ op: 'del', value: null, result: true })],
  ['an unknown outcome', event({ complete: null, ok: null })],
  ['what was surely not executed', event({ ok: false })],
  ['a value that is a number', event({ value: 12 })],
  ['the first instant', event({ invoke: 0, complete: 0 })],
  ['a key with every character', event({ key: 'ä"\n\u2028😀' })],
];

const BAD: readonly (readonly [string, HistoryEvent, string])[] = [
  ['process', event({ process: -1 }), '"process" is -1'],
  ['half a process', event({ process: 1.5 }), '"process" is 1.5'],
  ['op', event({ op: 'swap' }), '"op" is "swap", none of get, put, cas, append, del'],
  ['key', event({ key: 1 }), '"key" is 1'],
  ['invoke', event({ invoke: '5' }), '"invoke" is "5"'],
  ['fractions of a nanosecond', event({ complete: 9.5 }), '"complete" is 9.5'],
  ['ok', event({ ok: 'yes' }), '"ok" is "yes"'],
  ['an outcome that is known without a time', event({ complete: null }), 'are null together'],
  ['a time of an unknown outcome', event({ ok: null }), 'are null together'],
  ['an end before the beginning', event({ complete: 4 }), 'it completes before it is invoked'],
  ['a put of nothing', event({ value: null }), 'a put without a value'],
  ['a get with a value', event({ op: 'get' }), 'a get with a value'],
  ['an object as a value', event({ value: { a: 1 } }), '"value" is {"a":1}'],
  ['an old value of a put', event({ old: 'u' }), 'a put with an old value'],
  ['a number that is appended', event({ op: 'append', value: 1 }), 'an append of what is no string'],
  ['a cas without a result', event({ op: 'cas' }), 'neither true nor false'],
  ['a put with a result', event({ result: true }), 'a put with a result'],
  ['a length that is none', event({ op: 'append', result: '7' }), 'no length'],
  ['a result of an unknown outcome', event({ op: 'get', value: null, result: 'v', complete: null, ok: null }), 'a result of what was not surely done'],
];

describe('history events', () => {
  it.each(GOOD)('%s goes into a line and comes back', (_, good) => {
    const line = encodeHistoryEvent(good);
    expect(line).not.toContain('\n');
    expect(parseHistoryEvent(line, 1)).toEqual(good);
  });

  it.each(BAD)('%s: refused on both sides', (_, bad, reason) => {
    expect(() => encodeHistoryEvent(bad)).toThrow(reason);
    expect(() => parseHistoryEvent(JSON.stringify(bad), 17)).toThrow(reason);
    expect(() => parseHistoryEvent(JSON.stringify(bad), 17)).toThrow(/^line 17: /);
  });

  it('writes the fields in one order', () => {
    expect(encodeHistoryEvent(EVENT)).toBe('{"process":3,"op":"put","key":"k","value":"v","old":null,"result":null,"invoke":5,"complete":9,"ok":true}');
  });

  it('takes what may be left out for null, and nothing else', () => {
    expect(parseHistoryEvent('{"process":3,"op":"put","key":"k","value":"v","invoke":5,"complete":9,"ok":true}', 1)).toEqual(EVENT);
    expect(() => parseHistoryEvent('{"process":3,"op":"put","key":"k","value":"v","invoke":5,"ok":true}', 2)).toThrow('line 2: no field "complete"');
    expect(() => parseHistoryEvent(JSON.stringify({ ...EVENT, stale: true }), 2)).toThrow('line 2: a field "stale" that no event has');
    expect(() => parseHistoryEvent('{"__proto__":1}', 2)).toThrow('that no event has');
  });

  it.each(['', '[]', 'null', '3', '{', '{"process":3}{}'])('refuses %j', (text) => {
    expect(() => parseHistoryEvent(text, 4)).toThrow(HistoryError);
  });
});

describe('a history', () => {
  const lines = (...events: readonly HistoryEvent[]): string => events.map((each) => `${encodeHistoryEvent(each)}\n`).join('');

  it('may have its lines in any order, empty ones, and Windows ends', () => {
    const later = event({ invoke: 10, complete: 12 });
    expect(parseHistory(lines(later, EVENT))).toEqual([later, EVENT]);
    expect(parseHistory('')).toEqual([]);
    expect(parseHistory(`\n${lines(EVENT).replace('\n', '\r\n')}\n`)).toEqual([EVENT]);
  });

  it('names the line that is wrong, counting empty ones', () => {
    expect(() => parseHistory(`${lines(EVENT)}\nnonsense\n`)).toThrow('line 3: not JSON');
    try {
      parseHistory(`${lines(EVENT)}\nnonsense\n`);
    } catch (error) {
      expect(error).toMatchObject({ name: 'HistoryError', line: 3 });
    }
  });

  it('refuses a process that does two things at once', () => {
    expect(() => parseHistory(lines(EVENT, event({ invoke: 8, complete: 20 })))).toThrow('line 2: process 3 begins before it has ended what it did');
    expect(parseHistory(lines(EVENT, event({ invoke: 9, complete: 20 })))).toHaveLength(2);
    expect(parseHistory(lines(EVENT, event({ process: 4, invoke: 8, complete: 20 })))).toHaveLength(2);
  });

  it('refuses a process that goes on after an unknown outcome, wherever it stands in the file', () => {
    const unknown = event({ complete: null, ok: null });
    const after = event({ invoke: 100, complete: 110 });
    expect(() => parseHistory(lines(after, unknown))).toThrow('line 1: process 3 goes on after an unknown outcome');
    expect(parseHistory(lines(event({ process: 4, invoke: 100, complete: 110 }), unknown))).toHaveLength(2);
  });

  it('lets a process go on after what was surely not executed', () => {
    expect(parseHistory(lines(event({ ok: false }), event({ invoke: 10, complete: 11 })))).toHaveLength(2);
  });
});
