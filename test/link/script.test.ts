import { describe, expect, it } from 'vitest';
import { defaultProfile, parseProfile } from '../../src/link/profile.ts';
import { parseScript, Script } from '../../src/link/script.ts';

const perfect = { up: defaultProfile, down: defaultProfile };

describe('parseScript', () => {
  it('reads a timeline in order of time', () => {
    expect(parseScript('at 5s heal; at 3s blackhole # cut\n at 8s up loss 30% delay 5ms;')).toEqual([
      { atMs: 3000, directions: ['up', 'down'], words: 'blackhole' },
      { atMs: 5000, directions: ['up', 'down'], words: 'heal' },
      { atMs: 8000, directions: ['up'], words: 'loss 30% delay 5ms' },
    ]);
    expect(parseScript(' ;\n')).toEqual([]);
  });
  it.each([
    ['3s blackhole', 'script: "3s blackhole" does not begin with a time, as in at 3s blackhole'],
    ['at 3 blackhole', 'script: "at 3 blackhole": "3" is not a duration'],
    ['at 3s up', 'script: "at 3s up" says a time but not what happens then'],
  ])('refuses "%s"', (text, message) => expect(() => parseScript(text)).toThrow(message));
});

describe('Script', () => {
  it('gives each change when it is due, in its direction', () => {
    const initial = { up: parseProfile('loss 5%'), down: defaultProfile };
    const script = new Script(parseScript('at 3s up blackhole; at 5s heal; at 8s loss 30%; at 9s reset'), initial, 1000);
    expect(script.nextTimeout()).toBe(4000);
    expect(script.due(3999)).toBeUndefined();
    expect(script.due(4000)).toMatchObject({ atMs: 3000, direction: 'up', words: 'blackhole', profile: parseProfile('loss 5% blackhole') });
    expect(script.due(4000)).toBeUndefined();
    expect(script.due(9000)).toMatchObject({ direction: 'up', profile: initial.up });
    expect(script.due(9000)).toMatchObject({ direction: 'down', profile: initial.down });
    expect(script.due(9000)).toMatchObject({ direction: 'up', profile: parseProfile('loss 30%') });
    expect(script.nextTimeout()).toBe(9000);
    expect(script.due(1e9)?.direction).toBe('down');
    expect(script.due(1e9)?.profile).toBe(initial.up);
    expect(script.due(1e9)?.profile).toBe(initial.down);
    expect(script.due(1e9)).toBeUndefined();
    expect(script.nextTimeout()).toBe(Infinity);
  });
  it.each([
    ['at 1s jump 5%', 'script: "at 1s jump 5%": "jump" is not a word of a link'],
    ['at 1s reorder 25%', 'script: "at 1s reorder 25%": reorder does nothing without a delay'],
    ['at 1s delay 5ms reorder 5%; at 2s delay 0ms', 'script: "at 2s delay 0ms": reorder does nothing'],
  ])('refuses "%s" before it starts', (text, message) => {
    expect(() => new Script(parseScript(text), perfect, 0)).toThrow(message);
  });
});
