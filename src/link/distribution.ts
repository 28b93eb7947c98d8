/** The delay distributions of tc-netem, and `exponential`, which netem lacks. */
export type Distribution = 'uniform' | 'normal' | 'pareto' | 'paretonormal' | 'exponential';

export const DISTRIBUTIONS: readonly Distribution[] = ['uniform', 'normal', 'pareto', 'paretonormal', 'exponential'];

/** netem's tables hold 16-bit numbers in units of 1/8192 standard deviation, so nothing lies further out than this. */
const MAX_DEVIATION = 4;

/**
 * The deviation from the mean, in jitters, at quantile `u` in [0, 1): what netem reads from its distribution tables
 * (iproute2, netem/*.c). Inverse distribution functions take one draw each, and a correlated draw stays meaningful.
 * Uniform lies in [-1, 1); the others have mean about 0 and are cut at ±4.
 */
export function deviationAt(distribution: Distribution, u: number): number {
  switch (distribution) {
    case 'uniform':
      return 2 * u - 1;
    case 'normal':
      return clamp(normalQuantile(u));
    case 'pareto':
      return paretoQuantile(u);
    case 'paretonormal':
      return clamp(0.25 * normalQuantile(u) + 0.75 * paretoQuantile(u));
    case 'exponential':
      return clamp(-Math.log(1 - u) - 1);
  }
}

function clamp(deviation: number): number {
  return Math.max(-MAX_DEVIATION, Math.min(MAX_DEVIATION, deviation));
}

/** Shape 3, shifted by its mean 1.5 and scaled by 4/3, as netem's table is. */
function paretoQuantile(u: number): number {
  return clamp((Math.pow(1 - u, -1 / 3) - 1.5) * (4 / 3));
}

/** Rational approximation 26.2.23 of Abramowitz and Stegun, absolute error below 4.5e-4: finer than netem's 4096-entry table. */
function normalQuantile(u: number): number {
  const tail = Math.max(u < 0.5 ? u : 1 - u, 1e-12);
  const t = Math.sqrt(-2 * Math.log(tail));
  const x =
    t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
  return u < 0.5 ? -x : x;
}
