/** A seeded stream of chance. Every consumer has its own, forked by name, so that adding one does not shift another's draws. */
export interface Random {
  /** Uniform in [0, 2^32). */
  uint32(): number;
  /** Uniform in [0, 1), 32 bits of resolution. */
  unit(): number;
  /** Uniform integer in [0, n); n in [1, 2^32]. */
  below(n: number): number;
  /** True with the given probability in [0, 1]. Always draws once, also for 0 and 1. */
  chance(probability: number): boolean;
  /** Exponential with the given mean. */
  exponential(mean: number): number;
  /** Standard normal (Box–Muller; one of the pair, so that every call draws exactly twice). */
  normal(): number;
  /** An independent stream, determined by this stream's seed and `name` alone, not by what was drawn so far. */
  fork(name: string): Random;
}

/** FNV-1a over UTF-16 code units: spreads names, nothing cryptographic. */
function hashName(seed: number, name: string): number {
  let h = (0x811c9dc5 ^ seed) >>> 0;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193) >>> 0;
  return h;
}

/** One step of splitmix32, used to expand a seed into state words. */
function splitmix32(state: number): number {
  let z = (state + 0x9e3779b9) >>> 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return (z ^ (z >>> 15)) >>> 0;
}

/** Everything that is drawn from 32 uniform bits at a time, wherever those come from. */
export abstract class RandomStream implements Random {
  abstract uint32(): number;
  abstract fork(name: string): Random;

  unit(): number {
    return this.uint32() / 0x1_0000_0000;
  }

  below(n: number): number {
    return Math.floor(this.unit() * n);
  }

  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  exponential(mean: number): number {
    return -mean * Math.log(1 - this.unit());
  }

  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.unit()));
    return radius * Math.cos(2 * Math.PI * this.unit());
  }
}

/** sfc32 (Chris Doty-Humphrey, PractRand): small, fast, passes PractRand; 2^32 seeds. */
class Sfc32 extends RandomStream {
  readonly #seed: number;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    super();
    this.#seed = seed >>> 0;
    this.#a = splitmix32(this.#seed);
    this.#b = splitmix32(this.#a);
    this.#c = splitmix32(this.#b);
    for (let i = 0; i < 12; i++) this.uint32();
  }

  uint32(): number {
    const t = (this.#a + this.#b + this.#counter) >>> 0;
    this.#counter = (this.#counter + 1) >>> 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) >>> 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + t) >>> 0;
    return t;
  }

  fork(name: string): Random {
    return new Sfc32(hashName(this.#seed, name));
  }
}

/** A deterministic stream from a seed (an integer; its low 32 bits count). */
export function createRandom(seed: number): Random {
  return new Sfc32(seed);
}
