import { describe, expect, it } from 'vitest';

import { SHIVIZ_PATTERN, ShiVizLog, shiVizFromLines } from '../../src/report/shiviz.ts';

interface Line {
  readonly host: string;
  readonly clock: Record<string, number>;
  readonly event: string;
}

/** As ShiViz reads a file: the first line is the pattern of all behind the second. */
function read(text: string): Line[] {
  const [pattern, delimiter, ...lines] = text.split('\n');
  expect(delimiter).toBe('');
  return lines.filter((line) => line !== '').map((line) => {
    const { host, clock, event } = new RegExp(pattern!, 'u').exec(line)!.groups!;
    return { host: host!, clock: JSON.parse(clock!) as Record<string, number>, event: event! };
  });
}

describe('vector clocks', () => {
  it('an election: what is received brings along what the sender knew', () => {
    const log = new ShiVizLog();
    log.emit(0, { type: 'become', member: 'm0', role: 'candidate', term: 1 });
    log.emit(0.5, { type: 'send', member: 'm0', to: 'm1', message: 1, kind: 'vote request' });
    log.emit(0.5, { type: 'send', member: 'm0', to: 'm2', message: 2, kind: 'vote request' });
    log.emit(2, { type: 'receive', member: 'm1', from: 'm0', message: 1 });
    log.emit(2, { type: 'vote', member: 'm1', term: 1, candidate: 'm0' });
    log.emit(2.25, { type: 'send', member: 'm1', to: 'm0', message: 3 });
    log.emit(3, { type: 'crash', member: 'm2' });
    log.emit(4, { type: 'receive', member: 'm0', from: 'm1', message: 3 });
    log.emit(4, { type: 'become', member: 'm0', role: 'leader', term: 1 });
    expect(log.text().split('\n')).toEqual([
      SHIVIZ_PATTERN,
      '',
      'm0 {"m0":1} 0.000 ms become role candidate term 1',
      'm0 {"m0":2} 0.500 ms send to m1 kind vote request',
      'm0 {"m0":3} 0.500 ms send to m2 kind vote request',
      'm1 {"m0":2,"m1":1} 2.000 ms receive from m0',
      'm1 {"m0":2,"m1":2} 2.000 ms vote term 1 candidate m0',
      'm1 {"m0":2,"m1":3} 2.250 ms send to m0',
      'm2 {"m2":1} 3.000 ms crash',
      'm0 {"m0":4,"m1":3} 4.000 ms receive from m1',
      'm0 {"m0":5,"m1":3} 4.000 ms become role leader term 1',
      '',
    ]);
    expect(log.counters).toEqual({ withoutMember: 0, unmatched: 0, forgotten: 0, omitted: 0 });
  });

  it('the pattern at the head of the file fits each line, and each host counts 1, 2, 3 …', () => {
    const log = new ShiVizLog();
    for (let i = 0; i < 50; i++) {
      log.emit(i, { type: 'send', member: `m${i % 3}`, to: `m${(i + 1) % 3}`, message: i });
      log.emit(i + 0.5, { type: 'receive', member: `m${(i + 1) % 3}`, message: i });
      log.emit(i + 0.6, { type: 'apply', member: `m${i % 3}`, index: i, digest: 'a } { b' });
    }
    const lines = read(log.text());
    expect(lines).toHaveLength(150);
    const last: Record<string, Record<string, number>> = {};
    for (const { host, clock } of lines) {
      expect(clock[host]).toBe((last[host]?.[host] ?? 0) + 1);
      for (const [other, count] of Object.entries(last[host] ?? {})) expect(clock[other]).toBeGreaterThanOrEqual(count);
      last[host] = clock;
    }
  });

  it('a doubled message is received twice, a lost one never; overtaking does no harm', () => {
    const log = new ShiVizLog();
    log.emit(0, { type: 'send', member: 'a', message: 'x' });
    log.emit(1, { type: 'send', member: 'a', message: 'y' });
    log.emit(1, { type: 'send', member: 'a', message: 'z' });
    log.emit(2, { type: 'receive', member: 'b', message: 'y' });
    log.emit(3, { type: 'receive', member: 'b', message: 'x' });
    log.emit(4, { type: 'receive', member: 'b', message: 'y' });
    expect(read(log.text()).filter(({ host }) => host === 'b').map(({ clock }) => clock)).toEqual([{ a: 2, b: 1 }, { a: 2, b: 2 }, { a: 2, b: 3 }]);
  });
});

describe('bounds and oddities are counted', () => {
  it('an unknown message brings nothing along', () => {
    const log = new ShiVizLog();
    log.emit(0, { type: 'receive', member: 'b', message: 'never sent' });
    log.emit(0, { type: 'receive', member: 'b' });
    expect(read(log.text()).map(({ clock }) => clock)).toEqual([{ b: 1 }, { b: 2 }]);
    expect(log.counters.unmatched).toBe(2);
  });

  it('too many under way, too many lines, no member', () => {
    const log = new ShiVizLog({ maxUnderWay: 1, maxLines: 3 });
    log.emit(0, { type: 'tick' });
    log.emit(0, { type: 'send', member: 'a', message: 1 });
    log.emit(0, { type: 'send', member: 'a', message: 2 });
    log.emit(1, { type: 'receive', member: 'b', message: 1 });
    log.emit(1, { type: 'receive', member: 'b', message: 2 });
    expect(read(log.text())).toHaveLength(3);
    expect(log.counters).toEqual({ withoutMember: 1, unmatched: 1, forgotten: 1, omitted: 1 });
  });

  it('a name with blanks is one word, and an event is one line', () => {
    const log = new ShiVizLog();
    log.emit(0, { type: 'become', member: 'view server {1}', role: 'a\nb' });
    expect(read(log.text())).toEqual([{ host: 'view_server_1_', clock: { view_server_1_: 1 }, event: '0.000 ms become role a b' }]);
  });
});

describe('from a file of JSON lines', () => {
  it('reads what a sink wrote', () => {
    const text = '{"ms":0,"type":"send","member":"a","message":1}\n\n{"ms":1.5,"type":"receive","member":"b","message":1}\n';
    expect(read(shiVizFromLines(text).text()).map(({ clock }) => clock)).toEqual([{ a: 1 }, { a: 1, b: 1 }]);
  });

  it.each([['{', 'line 1: not JSON'], ['[]', 'line 1: not an object'], ['{"type":"x"}', 'line 1: no event with "type" and "ms"'], ['\n{"ms":1}', 'line 2: no event with "type" and "ms"']])('refuses %j', (text, reason) => {
    expect(() => shiVizFromLines(text)).toThrow(new RangeError(reason));
  });
});
