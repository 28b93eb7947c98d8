import {
  parseDuration, parseProbability, parseRate, parseWhole, spellDuration, spellProbability, spellRate,
} from '../core/units.ts';
import { DISTRIBUTIONS } from './distribution.ts';
import type { Distribution } from './distribution.ts';

/** A fault that hits each datagram with a probability; both numbers in [0, 1]. Correlation is netem's, see `CorrelatedDraw`. */
export interface Chance {
  readonly probability: number;
  readonly correlation: number;
}

/** Independent loss, or correlated in netem's way. */
export interface RandomLoss extends Chance {
  readonly model: 'random';
}

/** Gilbert–Elliott loss in bursts; all numbers are probabilities per datagram. See `GilbertElliottLoss`. */
export interface GemodelLoss {
  readonly model: 'gemodel';
  /** p: good → bad. */
  readonly toBad: number;
  /** r: bad → good; the mean burst is 1/r datagrams. */
  readonly toGood: number;
  /** 1-h: loss in the bad state. */
  readonly lossInBad: number;
  /** 1-k: loss in the good state. */
  readonly lossInGood: number;
}

export interface Delay {
  readonly delayMs: number;
  /** Half width of a uniform distribution, standard deviation (roughly) of the others. */
  readonly jitterMs: number;
  readonly correlation: number;
  readonly distribution: Distribution;
}

/** With this probability a datagram overtakes the delay; only each `gap`-th is a candidate. */
export interface Reorder extends Chance {
  readonly gap: number;
}

/** What one direction of a link does to datagrams, with the meaning of tc-netem. Immutable. */
export interface LinkProfile {
  readonly loss: RandomLoss | GemodelLoss;
  readonly delay: Delay;
  readonly duplicate: Chance;
  readonly corrupt: Chance;
  readonly reorder: Reorder;
  /** Of UDP payload; Infinity for no limit. */
  readonly rateBitsPerSecond: number;
  /** Datagrams held in this direction at most, as netem's `limit`. */
  readonly limit: number;
  /** Numbers of datagrams to drop, counted from 1 as they are offered; ascending. */
  readonly dropNth: readonly number[];
  /** Everything is dropped: a partition, if in one direction only a one-way partition. */
  readonly blackhole: boolean;
  /** Larger datagrams are dropped in silence, as where ICMP is filtered; Infinity for no limit. */
  readonly mtuBytes: number;
}

const NEVER: Chance = { probability: 0, correlation: 0 };

/** netem's default queue length, in packets. */
export const DEFAULT_LIMIT = 1000;

const MAX_LIMIT = 10_000_000;

/** More exact drops than this are a mistake, not a lesson. */
const MAX_DROP_NTH = 10_000;

/** The perfect link: no fault, no delay. */
export const defaultProfile: LinkProfile = {
  loss: { model: 'random', ...NEVER },
  delay: { delayMs: 0, jitterMs: 0, correlation: 0, distribution: 'uniform' },
  duplicate: NEVER,
  corrupt: NEVER,
  reorder: { ...NEVER, gap: 1 },
  rateBitsPerSecond: Infinity,
  limit: DEFAULT_LIMIT,
  dropNth: [],
  blackhole: false,
  mtuBytes: Infinity,
};

/** Walks over the words of a profile. A clause takes the values that belong to its keyword and leaves the rest. */
class Words {
  readonly #words: readonly string[];
  #next = 0;
  /** The clause being read, for messages. */
  keyword = '';

  constructor(text: string) {
    this.#words = text.trim().split(/\s+/).filter((word) => word !== '');
  }

  take(): string | undefined {
    return this.#words[this.#next++];
  }

  /** The value that must come next, read by `parse`. */
  value<T>(parse: (word: string) => T, what: string): T {
    const word = this.take();
    if (word === undefined) throw this.error(`${what} is missing`);
    try {
      return parse(word);
    } catch (error) {
      throw this.error((error as Error).message);
    }
  }

  /** As `value` if the next word looks like a number, else `otherwise`. */
  optional<T>(parse: (word: string) => T, otherwise: T): T {
    const word = this.#words[this.#next];
    return word !== undefined && /^[\d.+-]/.test(word) ? this.value(parse, '') : otherwise;
  }

  /** Takes the next word if it is `word`. */
  skip(word: string): boolean {
    if (this.#words[this.#next] !== word) return false;
    this.#next++;
    return true;
  }

  error(message: string): Error {
    return new Error(this.keyword === '' ? message : `${this.keyword}: ${message}`);
  }
}

type Clause = (words: Words) => Partial<LinkProfile>;

function chance(words: Words): Chance {
  return { probability: words.value(parseProbability, 'a probability'), correlation: words.optional(parseProbability, 0) };
}

function parseLoss(words: Words): RandomLoss | GemodelLoss {
  if (words.skip('gemodel')) {
    const toBad = words.value(parseProbability, 'the probability p of a change from good to bad');
    // With p alone the model is Bernoulli(p), as in tc.
    return {
      model: 'gemodel',
      toBad,
      toGood: words.optional(parseProbability, 1 - toBad),
      lossInBad: words.optional(parseProbability, 1),
      lossInGood: words.optional(parseProbability, 0),
    };
  }
  words.skip('random');
  return { model: 'random', ...chance(words) };
}

function parseDistribution(word: string): Distribution {
  const found = DISTRIBUTIONS.find((distribution) => distribution === word);
  if (found === undefined) throw new Error(`"${word}" is not a distribution: choose one of ${DISTRIBUTIONS.join(', ')}`);
  return found;
}

function parseDelay(words: Words): Delay {
  const delayMs = words.value(parseDuration, 'a duration');
  const jitterMs = words.optional(parseDuration, 0);
  const correlation = jitterMs > 0 ? words.optional(parseProbability, 0) : 0;
  if (!words.skip('distribution')) return { delayMs, jitterMs, correlation, distribution: 'uniform' };
  if (jitterMs === 0) throw words.error('a distribution needs a jitter, as in delay 40ms 5ms distribution normal');
  return { delayMs, jitterMs, correlation, distribution: words.value(parseDistribution, 'the name of a distribution') };
}

function parseDropNth(text: string): readonly number[] {
  const numbers = text.split(',').map((part) => parseWhole(part, 'datagram number', 1));
  if (numbers.length > MAX_DROP_NTH) throw new Error(`${numbers.length} numbers are too many: at most ${MAX_DROP_NTH}`);
  return [...new Set(numbers)].sort((a, b) => a - b);
}

const CLAUSES = {
  loss: (words: Words) => ({ loss: parseLoss(words) }),
  delay: (words: Words) => ({ delay: parseDelay(words) }),
  duplicate: (words: Words) => ({ duplicate: chance(words) }),
  corrupt: (words: Words) => ({ corrupt: chance(words) }),
  reorder: (words: Words) => ({
    reorder: {
      ...chance(words),
      gap: words.skip('gap') ? words.value((word) => parseWhole(word, 'gap', 1), 'a number of datagrams') : 1,
    },
  }),
  rate: (words: Words) => ({ rateBitsPerSecond: words.value(parseRate, 'a rate') }),
  limit: (words: Words) => ({
    limit: words.value((word) => parseWhole(word, 'queue limit', 1, MAX_LIMIT), 'a number of datagrams'),
  }),
  'drop-nth': (words: Words) => ({ dropNth: words.value(parseDropNth, 'a list of datagram numbers') }),
  mtu: (words: Words) => ({ mtuBytes: words.value((word) => parseWhole(word, 'MTU', 1, 65_535), 'a number of bytes') }),
  blackhole: () => ({ blackhole: true }),
  heal: () => ({ blackhole: false }),
} satisfies Record<string, Clause>;

/** A word that a clause of a profile may start with. */
export type ProfileKeyword = keyof typeof CLAUSES;

export const PROFILE_KEYWORDS = Object.keys(CLAUSES) as readonly ProfileKeyword[];

function isKeyword(word: string): word is ProfileKeyword {
  return Object.hasOwn(CLAUSES, word);
}

function checkRange(what: string, value: number, min: number, max: number): void {
  // Written so that NaN fails.
  if (!(value >= min && value <= max)) throw new Error(`${what} ${value} is not from ${min} to ${max}`);
}

function checkChance(what: string, { probability, correlation }: Chance): void {
  checkRange(`${what} probability`, probability, 0, 1);
  checkRange(`${what} correlation`, correlation, 0, 1);
}

function checkLoss(loss: RandomLoss | GemodelLoss): void {
  if (loss.model === 'random') {
    checkChance('loss', loss);
    return;
  }
  for (const probability of [loss.toBad, loss.toGood, loss.lossInBad, loss.lossInGood]) checkRange('gemodel probability', probability, 0, 1);
}

/**
 * Throws an Error with one line if a number in `profile` is out of its range, or if its parts make no sense together:
 * reordering lets a datagram overtake the delay of others, so without a delay it would silently do nothing.
 */
export function checkProfile(profile: LinkProfile): void {
  const { delay, reorder } = profile;
  checkLoss(profile.loss);
  checkChance('duplicate', profile.duplicate);
  checkChance('corrupt', profile.corrupt);
  checkChance('reorder', reorder);
  checkRange('reorder gap', reorder.gap, 1, Number.MAX_SAFE_INTEGER);
  checkRange('delay', delay.delayMs, 0, Number.MAX_VALUE);
  checkRange('jitter', delay.jitterMs, 0, Number.MAX_VALUE);
  checkRange('delay correlation', delay.correlation, 0, 1);
  checkRange('rate', profile.rateBitsPerSecond, Number.MIN_VALUE, Infinity);
  checkRange('limit', profile.limit, 1, MAX_LIMIT);
  checkRange('mtu', profile.mtuBytes, 1, Infinity);
  if (reorder.probability > 0 && delay.delayMs === 0 && delay.jitterMs === 0) {
    throw new Error('reorder does nothing without a delay to overtake: add one, as in delay 10ms reorder 25%');
  }
}

/**
 * Reads clauses such as `loss 20% delay 40ms 5ms 25% distribution normal reorder 25% 50% gap 5` on top of `base`: each
 * clause replaces that part whole, the others stay. `heal` ends a blackhole. The result is not checked as a whole, see
 * `checkProfile`. Throws an Error with one line.
 */
export function applyWords(text: string, base: LinkProfile): LinkProfile {
  const words = new Words(text);
  let profile = base;
  for (;;) {
    const keyword = words.take();
    if (keyword === undefined) return profile;
    if (!isKeyword(keyword)) {
      const place = words.keyword === '' ? '' : ` after ${words.keyword}`;
      throw new Error(`"${keyword}"${place} is not a word of a link: choose from ${PROFILE_KEYWORDS.join(', ')}`);
    }
    words.keyword = keyword;
    profile = { ...profile, ...CLAUSES[keyword](words) };
  }
}

/**
 * The part of a profile that `value` stands for after `keyword`, for flags: `readClause('loss', '20%')`. Throws an Error with
 * one line, which does not name the keyword.
 */
export function readClause(keyword: ProfileKeyword, value: string): Partial<LinkProfile> {
  const words = new Words(value);
  const part = CLAUSES[keyword](words);
  const rest = words.take();
  if (rest !== undefined) throw new Error(`"${rest}" is one word too many after ${keyword}`);
  return part;
}

/** As `applyWords`, and checked. `parseProfile('')` is the perfect link. */
export function parseProfile(text: string, base: LinkProfile = defaultProfile): LinkProfile {
  const profile = applyWords(text, base);
  checkProfile(profile);
  return profile;
}

function spellChance({ probability, correlation }: Chance): string {
  return correlation > 0 ? `${spellProbability(probability)} ${spellProbability(correlation)}` : spellProbability(probability);
}

/** The exact words of a loss model, without the keyword. */
export function spellLoss(loss: RandomLoss | GemodelLoss): string {
  if (loss.model === 'random') return spellChance(loss);
  return `gemodel ${[loss.toBad, loss.toGood, loss.lossInBad, loss.lossInGood].map(spellProbability).join(' ')}`;
}

function spellDelay({ delayMs, jitterMs, correlation, distribution }: Delay): string {
  let words = spellDuration(delayMs);
  if (jitterMs > 0) words += ` ${spellDuration(jitterMs)}`;
  if (correlation > 0) words += ` ${spellProbability(correlation)}`;
  if (distribution !== 'uniform') words += ` distribution ${distribution}`;
  return words;
}

/** True if `profile` does nothing to a datagram; its `limit` does not matter. */
export function isPerfect(profile: LinkProfile): boolean {
  return formatProfile({ ...profile, limit: DEFAULT_LIMIT }) === '';
}

/** The words of `profile`, without the parts that are as in `defaultProfile`: `parseProfile` reads them back to an equal profile. */
export function formatProfile(profile: LinkProfile): string {
  const { loss, delay, reorder } = profile;
  const clauses: string[] = [];
  if (loss.model === 'gemodel' || loss.probability > 0) clauses.push(`loss ${spellLoss(loss)}`);
  if (delay.delayMs > 0 || delay.jitterMs > 0) clauses.push(`delay ${spellDelay(delay)}`);
  if (profile.duplicate.probability > 0) clauses.push(`duplicate ${spellChance(profile.duplicate)}`);
  if (profile.corrupt.probability > 0) clauses.push(`corrupt ${spellChance(profile.corrupt)}`);
  if (reorder.probability > 0) clauses.push(`reorder ${spellChance(reorder)}${reorder.gap > 1 ? ` gap ${reorder.gap}` : ''}`);
  if (profile.rateBitsPerSecond !== Infinity) clauses.push(`rate ${spellRate(profile.rateBitsPerSecond)}`);
  if (profile.limit !== DEFAULT_LIMIT) clauses.push(`limit ${profile.limit}`);
  if (profile.dropNth.length > 0) clauses.push(`drop-nth ${profile.dropNth.join(',')}`);
  if (profile.mtuBytes !== Infinity) clauses.push(`mtu ${profile.mtuBytes}`);
  if (profile.blackhole) clauses.push('blackhole');
  return clauses.join(' ');
}
