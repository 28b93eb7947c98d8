import { describe, expect, it } from 'vitest';

import { asynchronousQuorums } from '../../../src/lab/why/agreement.ts';
import { countQuorum } from '../../../src/lab/why/asynchronous.ts';
import { cellStory } from '../../../src/lab/why/cell-story.ts';
import { clockInApply } from '../../../src/lab/why/clock-in-apply.ts';
import { detection, detectionCurve } from '../../../src/lab/why/detection.ts';
import { outvoted, survivor } from '../../../src/lab/why/enough.ts';
import { generals } from '../../../src/lab/why/generals-story.ts';
import { LANGUAGES, parseLanguage } from '../../../src/lab/why/language.ts';
import { redundancy } from '../../../src/lab/why/redundancy.ts';
import { retries, retryShares } from '../../../src/lab/why/retries.ts';
import { halves, votes } from '../../../src/lab/why/splits.ts';
import { liars, silence } from '../../../src/lab/why/two-worlds.ts';
import { withoutOrder } from '../../../src/lab/why/without-order.ts';
import { displayWidth } from '../../../src/report/table.ts';

// With another seed than the command's own tests.
const EXHIBITS = { withoutOrder, survivor, outvoted, liars, retries, silence, detection, clockInApply, halves, votes, asynchronousQuorums, generals, redundancy };

describe.each(Object.entries(EXHIBITS))('%s', (_name, make) => {
  it('shows what it is to show', () => expect(make(7, LANGUAGES.en).isShown).toBe(true));
});

describe('exhibits', () => {
  const english = LANGUAGES.en;

  it('side by side: the observer sees the same in both worlds, and one of them is wrong', () => {
    const { text } = silence(1, english);
    expect(text).toContain('m1 cannot tell them apart');
    expect(text).toMatch(/c0: accepts "left"/);
    expect(text).toMatch(/^!.*c1: accepts "before"$/m);
    expect(liars(1, english).text).toMatch(/c0: error: no majority of equal answers += c0: error: no majority of equal answers/);
    expect(generals(1, english).text).toContain('lieutenant 1 cannot tell them apart: it sees the same 3 lines');
  });

  it('why k+1: with two of three gone the last one has everything; with three gone, an error', () => {
    expect(survivor(1, english).text).toMatch(/^m2 → c0: "blue" +≠ c0: error: no answer in 4 s$/m);
  });

  it('why 2k+1: two lies that agree come before the last true answer, and three true ones are believed', () => {
    const { text } = outvoted(1, english);
    expect(text.match(/c0: "2" \(a lie\)/gu)).toHaveLength(2);
    expect(text.match(/c0: "1"$/gmu)).toHaveLength(3);
    expect(text).toMatch(/c0: accepts "1"\n/);
  });

  it('without an order, real stores differ: x is doubled after it was set at two, before it at one', () => {
    const { text } = withoutOrder(1, english);
    expect(text.match(/→ c0: "10"$/gmu)).toHaveLength(2);
    expect(text.match(/→ c0: "1"$/gmu)).toHaveLength(1);
  });

  it('repetition masks what passes, never what stays, and doubles what has no request id', () => {
    expect(retryShares('transient', 1, true, 2)).toEqual({ masked: 0, wrong: 0 });
    expect(retryShares('transient', 2, true, 2)).toEqual({ masked: 1, wrong: 0 });
    expect(retryShares('intermittent', 10, true, 2)).toEqual({ masked: 1, wrong: 0 });
    expect(retryShares('permanent', 10, true, 2)).toEqual({ masked: 0, wrong: 0 });
    expect(retryShares('transient', 2, false, 2).wrong).toBeGreaterThan(0.3);
  });

  it('quorums of n − k commit in both halves; majorities of k + 1 in none', () => {
    const [quorum, raft] = halves(1, english).text.split('\nraft') as [string, string];
    expect(quorum.match(/accepts done/gu)).toHaveLength(2);
    expect(raft.match(/error: no answer/gu)).toHaveLength(2);
    expect(raft).not.toContain('accepts');
  });

  it('asynchronous quorums: 3k members are too few, 3k+1 enough, in every placement', () => {
    expect(countQuorum(3, 1)).toEqual({ n: 3, k: 1, honest: 1, isMasked: false, placements: 9 });
    expect(countQuorum(4, 1)).toEqual({ n: 4, k: 1, honest: 2, isMasked: true, placements: 16 });
    expect([5, 6, 7].map((n) => countQuorum(n, 2).isMasked)).toEqual([false, false, true]);
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
