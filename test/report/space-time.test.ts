import { describe, expect, it } from 'vitest';

import { english } from '../../src/lab/why/english.ts';
import { sideBySide, spaceTime as draw, STORY_WIDTH, transcriptOf, type Story, type StoryEvent } from '../../src/report/space-time.ts';
import { displayWidth } from '../../src/report/table.ts';

function spaceTime(story: Story): string {
  return draw(story, english);
}

function lines(...text: readonly string[]): string {
  return text.map((line) => `${line}\n`).join('');
}

describe('space and time', () => {
  it('a group that answers before the write is stable loses it', () => {
    expect(spaceTime({
      lanes: [{ name: 'client' }, { name: 'm0', symbol: '/' }, { name: 'm1', symbol: '\\' }, { name: 'm2', symbol: '\\' }],
      events: [
        { at: 0, lane: 'client', text: 'put x = 1', message: { to: 'm0', receivedAt: 1 } },
        { at: 1, lane: 'm0', text: 'append x = 1', message: { to: 'm1', receivedAt: 4 } },
        { at: 1, lane: 'm0', text: 'append x = 1', message: { to: 'm2', receivedAt: undefined } },
        { at: 1.5, lane: 'm0', text: 'done', message: { to: 'client', receivedAt: 2.5 }, isWrong: true },
        { at: 3, lane: 'm0', text: 'crashes', symbol: '#' },
        { at: 5, lane: 'm2', text: 'becomes the leader, with the votes of m1 and m2: it has not heard of x, which the client was told is there', symbol: '/' },
        { at: 6, lane: 'm2', text: 'heartbeat', message: { to: 'm1', receivedAt: 7 } },
      ],
    })).toBe(lines(
      '   ms  client  m0      m1      m2',
      '  0.0  |------>/       \\       \\   client → m0: put x = 1',
      '  1.0  |       /------>\\       \\   m0 → m1: append x = 1 (arrives at 4)',
      '  1.0  |       /------x\\       \\   m0 → m2: append x = 1 (lost)',
      '! 1.5  |<------/       \\       \\   m0 → client: done',
      '  3.0  |       #       \\       \\   m0: crashes',
      '  5.0  |       #       \\       /   m2: becomes the leader, with the votes of m1 and m2: it has not',
      '       |       #       \\       /   heard of x, which the client was told is there',
      '  6.0  |       #       \\<------/   m2 → m1: heartbeat',
    ));
  });

  it('two clients whose writes arrive in two orders: messages that others overtake are halves with a number', () => {
    const write = (at: number, lane: string, to: string, text: string, receivedAt: number): StoryEvent => ({ at, lane, text, message: { to, receivedAt } });
    expect(spaceTime({
      lanes: [{ name: 'a' }, { name: 'm0', symbol: '=' }, { name: 'm1', symbol: '=' }, { name: 'b' }],
      events: [
        write(0, 'a', 'm0', 'x = 1', 1), write(0, 'a', 'm1', 'x = 1', 3), write(0.25, 'b', 'm1', 'x = 3', 2), write(0.25, 'b', 'm0', 'x = 3', 2),
        { at: 4, lane: 'm0', text: 'x is 3' }, { at: 4, lane: 'm1', text: 'x is 1', isWrong: true },
      ],
    })).toBe(lines(
      '    ms  a       m0      m1      b',
      '  0.00  |------>=       =       |   a → m0: x = 1 (arrives at 1)',
      '  0.00  |-1     =       =       |   a → m1: x = 1 (1)',
      '  0.25  |       =       =<------|   b → m1: x = 3 (arrives at 2)',
      '  0.25  |       =       =     2-|   b → m0: x = 3 (2)',
      '  2.00  |       =<2     =       |   m0 ← b: x = 3 (2)',
      '  3.00  |       =     1>=       |   m1 ← a: x = 1 (1)',
      '  4.00  |       =       =       |   m0: x is 3',
      '! 4.00  |       =       =       |   m1: x is 1',
    ));
  });

  it('a message to itself, one that is lost on the way to the left, and a long name', () => {
    expect(spaceTime({
      lanes: [{ name: 'one' }, { name: 'a name that is much too long' }],
      events: [
        { at: 10, lane: 'one', text: 'note', message: { to: 'one', receivedAt: 10 } },
        { at: 11, lane: 'a name that is much too long', text: 'hello', message: { to: 'one', receivedAt: undefined } },
      ],
    })).toBe(lines(
      '  ms  one           a name that i',
      '  10  |@            |   one → one: note',
      '  11  |      x------|   a name that is much too long → one: hello (lost)',
    ));
  });

  it('one lane, no lane, nothing that happens', () => {
    expect(spaceTime({ lanes: [{ name: 'm0' }], events: [{ at: 0, lane: 'm0', text: 'is alone' }] })).toBe(lines('  ms  m0', '   0  |   m0: is alone'));
    expect(spaceTime({ lanes: [{ name: 'a' }, { name: 'b' }], events: [] })).toBe(lines('  ms  a       b'));
    expect(spaceTime({ lanes: [], events: [] })).toBe(lines('  ms'));
  });

  it('never wider than it may be, with as many lanes as fit', () => {
    for (let count = 1; count <= 9; count++) {
      const names = Array.from({ length: count }, (_, i) => `member ${i}`);
      const events = names.map((lane, i): StoryEvent => ({ at: i * 1000.125, lane, text: 'tells a long story '.repeat(9) + 'w'.repeat(200), message: { to: names[(3 * i + 1) % count]!, receivedAt: i * 1000.125 + 2500 } }));
      const text = spaceTime({ lanes: names.map((name) => ({ name })), events });
      for (const line of text.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(STORY_WIDTH);
    }
  });

  it('a story that can not be is refused', () => {
    const lanes = [{ name: 'a' }, { name: 'b' }];
    const tell = (event: Partial<StoryEvent>): (() => string) => () => spaceTime({ lanes, events: [{ at: 1, lane: 'a', text: '', ...event }] });
    expect(tell({ lane: 'c' })).toThrow(new RangeError('no lane c'));
    expect(tell({ message: { to: 'c', receivedAt: 1 } })).toThrow(new RangeError('no lane c'));
    expect(tell({ message: { to: 'b', receivedAt: 0 } })).toThrow(new RangeError('received at 0, sent at 1'));
    expect(() => spaceTime({ lanes: [...lanes, { name: 'a' }], events: [] })).toThrow(new RangeError('two lanes have one name'));
    expect(() => spaceTime({ lanes: Array.from({ length: 30 }, (_, i) => ({ name: `${i}` })), events: [] })).toThrow(new RangeError('30 lanes do not fit 100 columns'));
  });
});

describe('side by side', () => {
  const lanes = [{ name: 'commander' }, { name: 'loyal' }, { name: 'other' }];
  const tell = (at: number, lane: string, to: string, text: string, isWrong = false): StoryEvent => ({ at, lane, text, message: { to, receivedAt: at + 1 }, isWrong });
  const traitorCommands: Story = { lanes, events: [tell(0, 'commander', 'loyal', 'attack'), tell(0, 'commander', 'other', 'retreat', true), tell(2, 'other', 'loyal', 'retreat'), tell(2, 'loyal', 'other', 'attack')] };
  const traitorObeys: Story = { lanes, events: [tell(0, 'commander', 'loyal', 'attack'), tell(0, 'commander', 'other', 'attack'), { at: 1.5, lane: 'other', text: 'makes up a lie' }, tell(2, 'other', 'loyal', 'retreat', true), tell(2, 'loyal', 'other', 'attack')] };
  const titles = ['the commander is the traitor', 'the other is the traitor'] as const;
  const compare = (observer: string): string => sideBySide(transcriptOf(traitorCommands, observer, english), transcriptOf(traitorObeys, observer, english), titles, observer, english);

  it('three generals: the loyal lieutenant sees the same in both worlds', () => {
    expect(compare('loyal')).toBe(lines(
      'the commander is the traitor                       the other is the traitor',
      '------------------------------------------------   ------------------------------------------------',
      'commander → loyal: attack                        = commander → loyal: attack',
      'commander → other: retreat                       | commander → other: attack',
      '                                                 | other: makes up a lie',
      'loyal → other: attack                            = loyal → other: attack',
      'other → loyal: retreat                           = other → loyal: retreat',
      'loyal cannot tell them apart: it sees the same 3 lines (=) on both sides',
    ));
  });

  it('others see a difference', () => {
    expect(compare('commander')).toBe(lines(
      'the commander is the traitor                       the other is the traitor',
      '------------------------------------------------   ------------------------------------------------',
      'commander → loyal: attack                        = commander → loyal: attack',
      'commander → other: retreat                       ≠ commander → other: attack',
      'other → loyal: retreat                           | other: makes up a lie',
      'loyal → other: attack                            | other → loyal: retreat',
      '                                                 | loyal → other: attack',
      'commander can tell them apart: "commander → other: retreat" on the one side, "commander → other:',
      'attack" on the other',
    ));
  });

  it('whether what it sent has arrived, and when, an observer can not see; others are told', () => {
    const send = (receivedAt: number | undefined): Story => ({ lanes, events: [{ at: 0, lane: 'loyal', text: 'ping', message: { to: 'other', receivedAt } }, { at: 1, lane: 'loyal', text: 'hears nothing and gives up' }] });
    const arrives = send(5);
    const isLost = send(undefined);
    expect(transcriptOf(arrives, 'loyal', english)).toEqual(transcriptOf(isLost, 'loyal', english));
    expect(transcriptOf(isLost, 'other', english).map(({ text, isSeen }) => [text, isSeen])).toEqual([['loyal → other: ping (lost)', false], ['loyal: hears nothing and gives up', false]]);
    expect(transcriptOf(arrives, 'other', english)[0]).toEqual({ text: 'loyal → other: ping', isSeen: true });
  });

  it('what it hears stands where it hears it', () => {
    const story: Story = { lanes, events: [
      { at: 0, lane: 'commander', text: 'first', message: { to: 'loyal', receivedAt: 9 } }, tell(1, 'commander', 'loyal', 'second'), { at: 5, lane: 'other', text: 'waits' },
    ] };
    expect(transcriptOf(story, 'loyal', english).map(({ text }) => text)).toEqual(['commander → loyal: second', 'other: waits', 'commander → loyal: first']);
    expect(transcriptOf(story, 'other', english).map(({ text }) => text)).toEqual(['commander → loyal: first', 'commander → loyal: second', 'other: waits']);
  });

  it('what one side has more of is a difference; long lines are wrapped', () => {
    const long = { text: 'a word '.repeat(12).trimEnd(), isSeen: true };
    expect(sideBySide([long], [], ['one', 'other'], 'm0', english)).toBe(lines(
      'one                                                other',
      '------------------------------------------------   ------------------------------------------------',
      'a word a word a word a word a word a word a word ≠',
      'a word a word a word a word a word',
      'm0 can tell them apart: "a word a word a word a word a word a word a word a word a word a word a',
      'word a word" on the one side, nothing more on the other',
    ));
  });

  it('nothing seen', () => {
    expect(sideBySide([], [], ['one', 'other'], 'm0', english).split('\n').at(-2)).toBe('m0 sees nothing on either side');
    expect(sideBySide([{ text: 'x', isSeen: true }], [{ text: 'x', isSeen: true }], ['one', 'other'], 'm0', english).split('\n').at(-2)).toBe('m0 cannot tell them apart: it sees the same line (=) on both sides');
    expect(() => transcriptOf({ lanes, events: [] }, 'nobody', english)).toThrow(new RangeError('no lane nobody'));
  });
});
