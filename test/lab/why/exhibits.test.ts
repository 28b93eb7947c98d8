import { describe, expect, it } from 'vitest';

import { asynchronousQuorums } from '../../../src/lab/why/agreement.ts';
import { asynchronousQuorum } from '../../../src/lab/why/asynchronous.ts';
import { cellStory } from '../../../src/lab/why/cell-story.ts';
import { detection, detectionCurve } from '../../../src/lab/why/detection.ts';
import { generals } from '../../../src/lab/why/generals-story.ts';
import { LANGUAGES, parseLanguage } from '../../../src/lab/why/language.ts';
import { redundancy } from '../../../src/lab/why/redundancy.ts';
import { halves, votes } from '../../../src/lab/why/splits.ts';
import { clockInApply, withoutOrder } from '../../../src/lab/why/surprises.ts';
import { liars, silence } from '../../../src/lab/why/two-worlds.ts';
import { displayWidth } from '../../../src/report/table.ts';

// With another seed than the command's own tests.
const EXHIBITS = { silence, detection, withoutOrder, liars, clockInApply, halves, votes, asynchronousQuorums, generals, redundancy };

describe.each(Object.entries(EXHIBITS))('%s', (_name, make) => {
  it('shows what it is to show', () => expect(make(7, LANGUAGES.en).isShown).toBe(true));
});

describe('exhibits', () => {
  const english = LANGUAGES.en;

  it('side by side: the observer sees the same in both worlds, and one of them is wrong', () => {
    const { text } = silence(1, english);
    expect(text).toContain('m0 cannot tell them apart');
    expect(text).toMatch(/c1: accepts "right"/);
    expect(liars(1, english).text).toMatch(/c0: error: no majority of equal answers += c0: error: no majority of equal answers/);
    expect(generals(1, english).text).toContain('lieutenant 1 cannot tell them apart: it sees the same 3 lines');
  });

  it('quorums of n − k commit in both halves; majorities of k + 1 in none', () => {
    const [quorum, raft] = halves(1, english).text.split('\nraft') as [string, string];
    expect(quorum.match(/accepts done/gu)).toHaveLength(2);
    expect(raft.match(/error: no answer/gu)).toHaveLength(2);
    expect(raft).not.toContain('accepts');
  });

  it('asynchronous quorums: 3k members are too few, 3k+1 enough, in every placement', () => {
    expect(asynchronousQuorum(3, 1)).toEqual({ n: 3, k: 1, honest: 1, isMasked: false, runs: 9 });
    expect(asynchronousQuorum(4, 1)).toEqual({ n: 4, k: 1, honest: 2, isMasked: true, runs: 16 });
    expect([5, 6, 7].map((n) => asynchronousQuorum(n, 2).isMasked)).toEqual([false, false, true]);
  });

  it('a longer timeout suspects fewer of the living, and the dead later', () => {
    const [shortest, ...longer] = detectionCurve(3).filter(({ timeoutMs }) => timeoutMs !== undefined);
    expect(shortest!.falsePerHour).toBeGreaterThan(100);
    expect(longer.at(-1)!.falsePerHour).toBe(0);
    expect(longer.at(-1)!.detectedAfterMs).toBeGreaterThan(10 * shortest!.detectedAfterMs);
  });

  it('a story fits a terminal, marks the lie, and says what is wrong with it', () => {
    const story = cellStory({ arrangement: 'raft', fault: 'wrong-value:colluding', members: 3, faulty: [0, 1, 2], seed: 1 }, english);
    for (const line of story.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(100);
    expect(story).toMatch(/\(a lie\)/);
    expect(story).toMatch(/^!.*accepts 13 bytes; right is 3 bytes$/m);
  });

  it('languages are read, and others refused', () => {
    expect(parseLanguage('pt-br')).toBe('pt-BR');
    expect(() => parseLanguage('de')).toThrow('"de" is not a language here: en, pt-BR');
  });
});
