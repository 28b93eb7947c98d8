/**
 * Quantities as people write them. `parse…` reads a flag's or profile's word and throws a plain Error with one line that
 * says what was given and what is accepted; `spell…` writes a word that parses back to exactly the same number;
 * `format…` writes a rounded text for people.
 */

const QUANTITY = /^((?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)([A-Za-zµ%]*)$/;

const MILLIS_PER_UNIT: Readonly<Record<string, number>> = { us: 0.001, µs: 0.001, ms: 1, s: 1000, m: 60_000, min: 60_000 };
const BYTES_PER_UNIT: Readonly<Record<string, number>> = {
  '': 1, B: 1, kB: 1000, KB: 1000, MB: 1e6, GB: 1e9, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3,
};
const BITS_PER_UNIT: Readonly<Record<string, number>> = { bit: 1, kbit: 1000, mbit: 1e6, gbit: 1e9 };

interface Quantity {
  readonly value: number;
  readonly unit: string;
}

function splitQuantity(text: string): Quantity | undefined {
  const match = QUANTITY.exec(text.trim());
  if (match === null) return undefined;
  const value = Number(match[1]);
  return Number.isFinite(value) ? { value, unit: match[2]! } : undefined;
}

function lookUp(table: Readonly<Record<string, number>>, unit: string): number | undefined {
  return Object.hasOwn(table, unit) ? table[unit] : undefined;
}

/** `250us`, `20ms`, `1.5s`, `2m` → milliseconds, ≥ 0. A bare 0 needs no unit. Throws Error. */
export function parseDuration(text: string): number {
  const quantity = splitQuantity(text);
  const scale = quantity && lookUp(MILLIS_PER_UNIT, quantity.unit);
  if (quantity !== undefined && scale !== undefined) {
    const ms = scale < 1 ? quantity.value / 1000 : quantity.value * scale;
    if (Number.isFinite(ms)) return ms;
  }
  if (quantity?.value === 0 && quantity.unit === '') return 0;
  throw new Error(`"${text}" is not a duration: write a number with us, ms, s or m, as in 20ms`);
}

/** `1452`, `64KiB`, `8MiB`, `1GiB`, `100kB`, `5MB`, `1GB` → whole bytes, ≥ 0. Throws Error. */
export function parseSize(text: string): number {
  const quantity = splitQuantity(text);
  const scale = quantity && lookUp(BYTES_PER_UNIT, quantity.unit);
  const bytes = quantity !== undefined && scale !== undefined ? quantity.value * scale : NaN;
  const whole = Math.round(bytes);
  // 1.1 MB is a whole number of bytes although 1.1 * 1e6 in floating point is not.
  if (Number.isSafeInteger(whole) && Math.abs(bytes - whole) <= 1e-9 * Math.max(1, whole)) return whole;
  throw new Error(`"${text}" is not a size: write whole bytes, or a number with KiB, MiB, GiB, kB, MB or GB, as in 8MiB`);
}

/** `9600bit`, `64kbit`, `50mbit`, `1gbit` → bits per second, > 0. Throws Error. */
export function parseRate(text: string): number {
  const quantity = splitQuantity(text);
  const scale = quantity && lookUp(BITS_PER_UNIT, quantity.unit.toLowerCase());
  const rate = quantity !== undefined && scale !== undefined ? quantity.value * scale : NaN;
  if (rate > 0 && Number.isFinite(rate)) return rate;
  throw new Error(`"${text}" is not a rate: write a number above 0 with bit, kbit, mbit or gbit, as in 50mbit`);
}

/** `20%` or `0.2` → a probability in [0, 1]. Throws Error. */
export function parseProbability(text: string): number {
  const quantity = splitQuantity(text);
  if (quantity !== undefined && (quantity.unit === '%' || quantity.unit === '')) {
    const probability = quantity.unit === '%' ? quantity.value / 100 : quantity.value;
    if (probability <= 1) return probability;
  }
  throw new Error(`"${text}" is not a probability: write 0% to 100%, or a number from 0 to 1, as in 20% or 0.2`);
}

/** A whole number in [`min`, `max`], in decimal digits. Throws Error, which calls the number `what`. */
export function parseWhole(text: string, what: string, min: number, max: number = Number.MAX_SAFE_INTEGER): number {
  const value = /^\d+$/.test(text.trim()) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  throw new Error(`"${text}" is not a ${what}: write a whole number ${range}`);
}

/** The exact word for a duration in milliseconds: 20ms, 1.5s. */
export function spellDuration(ms: number): string {
  const seconds = `${ms / 1000}s`;
  return ms >= 1000 && parseDuration(seconds) === ms && seconds.length <= 8 ? seconds : `${ms}ms`;
}

/** The exact word for a rate in bits per second: 50mbit. */
export function spellRate(bitsPerSecond: number): string {
  for (const unit of ['gbit', 'mbit', 'kbit']) {
    const value = bitsPerSecond / BITS_PER_UNIT[unit]!;
    if (value >= 1 && value * BITS_PER_UNIT[unit]! === bitsPerSecond) return `${value}${unit}`;
  }
  return `${bitsPerSecond}bit`;
}

/** The exact word for a probability: 20%. */
export function spellProbability(probability: number): string {
  const percent = Number((probability * 100).toPrecision(12));
  return percent / 100 === probability ? `${percent}%` : `${probability}`;
}

/** Three significant digits without an exponent, trailing zeros kept off. */
function significant(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return String(Number(value.toPrecision(3)));
}

/** For people: 250us, 20ms, 1.5s, 2m05s. `ms` ≥ 0. */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms)) return 'never';
  if (ms === 0) return '0ms';
  if (ms < 0.9995) return `${significant(ms * 1000)}us`;
  if (ms < 999.5) return `${significant(ms)}ms`;
  if (ms < 59_950) return `${significant(ms / 1000)}s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, '0')}s`;
}

function scaled(value: number, base: number, units: readonly string[]): string {
  let unit = 0;
  while (unit + 1 < units.length && value >= 999.5) {
    value /= base;
    unit++;
  }
  return `${significant(value)} ${units[unit]}`;
}

/** For people, in binary units as iperf3 does for bytes: 512 B, 1.2 MiB. */
export function formatBytes(bytes: number): string {
  return scaled(bytes, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB']);
}

/** For people, in decimal units as iperf3 does for rates: 9.6 kbit/s, 50 Mbit/s. */
export function formatRate(bitsPerSecond: number): string {
  return scaled(bitsPerSecond, 1000, ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s', 'Tbit/s']);
}

/** For people: 20%, 0.5%, 3.84%. */
export function formatProbability(probability: number): string {
  return `${significant(probability * 100)}%`;
}
