import { describe, expect, it } from 'vitest';
import { checkProfile, defaultProfile, formatProfile, isPerfect, parseProfile, readClause } from '../../src/link/profile.ts';

describe('parseProfile', () => {
  it('reads nothing as the perfect link', () => {
    expect(parseProfile('')).toEqual(defaultProfile);
    expect(isPerfect(parseProfile('limit 5'))).toBe(true);
    expect(isPerfect(parseProfile('drop-nth 5'))).toBe(false);
  });

  it('reads the words of tc-netem', () => {
    expect(parseProfile('loss 20% delay 40ms 5ms 25% distribution normal reorder 25% 50% gap 5')).toEqual({
      ...defaultProfile,
      loss: { model: 'random', probability: 0.2, correlation: 0 },
      delay: { delayMs: 40, jitterMs: 5, correlation: 0.25, distribution: 'normal' },
      reorder: { probability: 0.25, correlation: 0.5, gap: 5 },
    });
    expect(parseProfile('duplicate 1% corrupt 0.1% 5% rate 50mbit limit 100 drop-nth 7,2,5,2 mtu 1200 blackhole')).toEqual({
      ...defaultProfile,
      duplicate: { probability: 0.01, correlation: 0 },
      corrupt: { probability: 0.001, correlation: 0.05 },
      rateBitsPerSecond: 5e7, limit: 100, dropNth: [2, 5, 7], mtuBytes: 1200, blackhole: true,
    });
  });

  it('fills in the defaults of gemodel as tc does', () => {
    expect(parseProfile('loss gemodel 25%').loss).toEqual({ model: 'gemodel', toBad: 0.25, toGood: 0.75, lossInBad: 1, lossInGood: 0 });
    expect(parseProfile('loss gemodel 1% 25% 90% 0.5%').loss).toEqual({
      model: 'gemodel', toBad: 0.01, toGood: 0.25, lossInBad: 0.9, lossInGood: 0.005,
    });
  });

  it('changes only what is named on top of a base', () => {
    const base = parseProfile('loss 5% delay 20ms 3ms blackhole');
    expect(parseProfile('heal loss 30%', base)).toEqual({ ...base, blackhole: false, loss: { model: 'random', probability: 0.3, correlation: 0 } });
  });

  it.each([
    ['lose 5%', '"lose" is not a word of a link: choose from loss, '],
    ['loss', 'loss: a probability is missing'],
    ['loss 120%', 'loss: "120%" is not a probability: '],
    ['loss 5% oops', '"oops" after loss is not a word of a link'],
    ['loss gemodel', 'loss: the probability p of a change from good to bad is missing'],
    ['delay 20', 'delay: "20" is not a duration: '],
    ['delay 20ms 5ms distribution gauss', 'delay: "gauss" is not a distribution: choose one of uniform, normal, '],
    ['delay 20ms distribution normal', 'delay: a distribution needs a jitter'],
    ['reorder 25%', 'reorder does nothing without a delay'],
    ['delay 1ms reorder 25% gap 0', 'reorder: "0" is not a gap'],
    ['rate 5', 'rate: "5" is not a rate'],
    ['limit 0', 'limit: "0" is not a queue limit'],
    ['drop-nth 2,,5', 'drop-nth: "" is not a datagram number'],
    ['drop-nth 0', 'drop-nth: "0" is not a datagram number'],
    ['mtu 70000', 'mtu: "70000" is not a MTU: write a whole number from 1 to 65535'],
    ['constructor', '"constructor" is not a word of a link'],
  ])('refuses "%s" with one clear line', (text, message) => {
    let error: unknown;
    try {
      parseProfile(text);
    } catch (caught) {
      error = caught;
    }
    expect((error as Error).message).toContain(message);
    expect((error as Error).message).not.toContain('\n');
  });
});

describe('formatProfile', () => {
  it.each([
    '', 'loss 20%', 'loss 20% 30%', 'loss gemodel 1% 25% 90% 0.5%', 'delay 20ms', 'delay 1.5s 40ms', 'delay 40ms 5ms 25% distribution pareto',
    'duplicate 1%', 'corrupt 0.1%', 'delay 10ms reorder 25% 50% gap 5', 'rate 50mbit limit 20', 'drop-nth 2,5,7', 'mtu 1200', 'blackhole',
    'loss 10% delay 20ms 10ms duplicate 5% corrupt 2% reorder 25% rate 1gbit limit 5 drop-nth 3 mtu 1400 blackhole',
  ])('gives back "%s"', (text) => {
    expect(formatProfile(parseProfile(text))).toBe(text);
    expect(parseProfile(formatProfile(parseProfile(text)))).toEqual(parseProfile(text));
  });
});

describe('readClause', () => {
  it('reads the value of a flag', () => {
    expect(readClause('loss', '5%')).toEqual({ loss: { model: 'random', probability: 0.05, correlation: 0 } });
    expect(readClause('reorder', '25% gap 5')).toEqual({ reorder: { probability: 0.25, correlation: 0, gap: 5 } });
  });
  it('refuses what belongs to another flag, and names no keyword in messages', () => {
    expect(() => readClause('loss', '5% delay 3ms')).toThrow('"delay" is one word too many after loss');
    expect(() => readClause('loss', '120%')).toThrow(/^"120%" is not a probability/);
  });
});

describe('checkProfile', () => {
  it.each([
    [{ duplicate: { probability: 20, correlation: 0 } }, 'duplicate probability 20 is not from 0 to 1'],
    [{ loss: { model: 'gemodel', toBad: NaN, toGood: 1, lossInBad: 1, lossInGood: 0 } }, 'gemodel probability NaN'],
    [{ delay: { ...defaultProfile.delay, jitterMs: -1 } }, 'jitter -1'],
    [{ rateBitsPerSecond: 0 }, 'rate 0'],
    [{ limit: 0 }, 'limit 0'],
  ] as const)('refuses numbers that a caller got wrong: %j', (part, message) => {
    expect(() => checkProfile({ ...defaultProfile, ...part })).toThrow(message);
  });
});
