/** Axes of plots: where a value stands, and which numbers are written beside the axis. */
export type ScaleKind = 'linear' | 'log';

export interface Scale {
  /** Place of `value` on the axis, in [0, 1] for values between the ends. Not finite where the axis cannot show the value. */
  place(value: number): number;
  readonly ticks: readonly Tick[];
}

export interface Tick {
  readonly value: number;
  readonly label: string;
}

/** Steps of a linear axis within a decade. */
const STEPS = [1, 2, 2.5, 5, 10];
/** Fewest labels on a logarithmic axis before the numbers between the powers of ten are labelled too. */
const MIN_LOG_LABELS = 4;

/**
 * A scale that covers all finite `values`, with about `maxTicks` labels. Linear: from 0 when no value is negative and `fromZero` is set; the ends
 * are ticks when `roundEnds` is set, else the smallest and largest value. Logarithmic: positive values only, ends at 1, 2 or 5 · 10^n.
 */
export function makeScale(kind: ScaleKind, values: readonly number[], options: { maxTicks: number; fromZero?: boolean; roundEnds?: boolean }): Scale {
  const usable = values.filter((value) => Number.isFinite(value) && (kind === 'linear' || value > 0));
  const low = usable.reduce((a, b) => Math.min(a, b), Infinity);
  const high = usable.reduce((a, b) => Math.max(a, b), -Infinity);
  if (usable.length === 0) return kind === 'linear' ? linearScale(0, 1, options) : logScale(1, 10, options.maxTicks);
  return kind === 'linear' ? linearScale(low, high, options) : logScale(low, high, options.maxTicks);
}

function linearScale(low: number, high: number, options: { maxTicks: number; fromZero?: boolean; roundEnds?: boolean }): Scale {
  let start = options.fromZero === true && low > 0 ? 0 : low;
  let end = options.fromZero === true && high < 0 ? 0 : high;
  if (start === end) {
    const margin = start === 0 ? 1 : Math.abs(start) / 2;
    if (start > 0 || options.fromZero !== true) start -= margin;
    end += margin;
  }
  const step = niceStep((end - start) / options.maxTicks);
  if (options.roundEnds === true) {
    start = Math.floor(start / step + 1e-9) * step;
    end = Math.ceil(end / step - 1e-9) * step;
  }
  const ticks: Tick[] = [];
  for (let n = Math.ceil(start / step - 1e-9); n * step <= end + step * 1e-9; n++) ticks.push({ value: n * step, label: formatTick(n * step, step) });
  const span = end - start;
  return { place: (value) => (value - start) / span, ticks };
}

function niceStep(rough: number): number {
  const decade = 10 ** Math.floor(Math.log10(rough));
  const factor = STEPS.find((candidate) => candidate * decade >= rough * (1 - 1e-9)) ?? 10;
  return factor * decade;
}

function logScale(low: number, high: number, maxTicks: number): Scale {
  const all = oneTwoFives(low, high);
  const start = Math.log10(all[0]!);
  const span = Math.log10(all.at(-1)!) - start;
  const powers = all.filter(isPowerOfTen);
  const stride = Math.ceil(powers.length / maxTicks);
  const labelled = powers.length < MIN_LOG_LABELS ? all : powers.filter((_, index) => index % stride === 0);
  return { place: (value) => (Math.log10(value) - start) / span, ticks: labelled.map((value) => ({ value, label: formatTick(value, value) })) };
}

/** All 1, 2, 5 · 10^n from the last at or below `low` to the first at or above `high`; at least two. */
function oneTwoFives(low: number, high: number): number[] {
  const numbers: number[] = [];
  for (let exponent = Math.floor(Math.log10(low) + 1e-9); ; exponent++) {
    for (const factor of [1, 2, 5]) {
      const value = Number(`${factor}e${exponent}`);
      if (value <= low * (1 + 1e-9)) numbers.length = 0;
      numbers.push(value);
      if (value >= high * (1 - 1e-9) && numbers.length >= 2) return numbers;
    }
  }
}

function isPowerOfTen(value: number): boolean {
  return Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-9;
}

/** Decimals as `step` needs them, thousands separated; powers of ten for what is very small or large. */
function formatTick(value: number, step: number): string {
  const size = Math.max(Math.abs(value), step);
  if (size >= 1e7 || size < 1e-4) return value === 0 ? '0' : Number(value.toPrecision(3)).toExponential().replace('e+', 'e');
  let decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  // A step of 2.5 · 10^n needs one decimal more.
  if (Math.abs(step * 10 ** decimals - Math.round(step * 10 ** decimals)) > 1e-6) decimals++;
  const fixed = (Math.abs(value) < step / 1e6 ? 0 : value).toFixed(decimals);
  const [whole, fraction] = fixed.split('.');
  const separated = whole!.replace(/\B(?=(\d{3})+$)/g, ',');
  return fraction === undefined ? separated : `${separated}.${fraction}`;
}
