import type { Millis } from '../core/machine.ts';
import { parseDuration, spellDuration } from '../core/units.ts';
import { applyWords, checkProfile } from './profile.ts';
import type { LinkProfile } from './profile.ts';

export type Direction = 'up' | 'down';

/** A profile for each direction of a link. */
export interface ProfilePair {
  readonly up: LinkProfile;
  readonly down: LinkProfile;
}

/** One line of a timeline, as written. */
export interface ScriptLine {
  /** Since the start of the script. */
  readonly atMs: Millis;
  readonly directions: readonly Direction[];
  /** Clauses of a profile, or `reset`. */
  readonly words: string;
}

/** From now on `direction` has `profile`. */
export interface ProfileChange {
  readonly atMs: Millis;
  readonly direction: Direction;
  readonly profile: LinkProfile;
  /** What the script said, for logs. */
  readonly words: string;
}

const BOTH: readonly Direction[] = ['up', 'down'];
const MAX_LINES = 10_000;

/**
 * Reads a timeline: `at 3s blackhole; at 5s heal; at 8s up loss 30%`. Lines end with `;` or a line break; `#` starts a
 * comment. The words change the profile that holds at that time, in both directions or only `up` or `down`; `heal` ends a
 * blackhole and `reset` goes back to the profile of the start. Lines at the same time apply in the order written.
 * Throws an Error with one line.
 */
export function parseScript(text: string): readonly ScriptLine[] {
  const lines: ScriptLine[] = [];
  for (const raw of text.replace(/#[^\n]*/g, '').split(/[;\n]/)) {
    const source = raw.trim();
    if (source === '') continue;
    const [at, time, ...rest] = source.split(/\s+/);
    if (at !== 'at' || time === undefined) throw new Error(`script: "${source}" does not begin with a time, as in at 3s blackhole`);
    const direction = rest[0] === 'up' || rest[0] === 'down' ? rest[0] : undefined;
    const words = (direction === undefined ? rest : rest.slice(1)).join(' ');
    if (words === '') throw new Error(`script: "${source}" says a time but not what happens then`);
    lines.push({ atMs: inScript(source, () => parseDuration(time)), directions: direction === undefined ? BOTH : [direction], words });
    if (lines.length > MAX_LINES) throw new Error(`script: more than ${MAX_LINES} lines`);
  }
  return lines.sort((a, b) => a.atMs - b.atMs);
}

function inScript<T>(source: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new Error(`script: "${source}": ${(error as Error).message}`);
  }
}

/** Plays a timeline. All profiles are worked out when it is made, so a script that makes no sense fails before it starts. */
export class Script {
  readonly #changes: ProfileChange[] = [];
  readonly #startedAt: Millis;
  #next = 0;

  /** `initial` are the profiles of the start. Throws an Error with one line if a profile makes no sense at some point. */
  constructor(lines: readonly ScriptLine[], initial: ProfilePair, startedAt: Millis) {
    this.#startedAt = startedAt;
    const current = { up: initial.up, down: initial.down };
    for (const { atMs, directions, words } of lines) {
      for (const direction of directions) {
        const profile = inScript(`at ${spellDuration(atMs)} ${words}`, () => {
          const changed = words === 'reset' ? initial[direction] : applyWords(words, current[direction]);
          checkProfile(changed);
          return changed;
        });
        current[direction] = profile;
        this.#changes.push({ atMs, direction, profile, words });
      }
    }
  }

  /** When the next change is due; Infinity after the last. */
  nextTimeout(): Millis {
    const change = this.#changes[this.#next];
    return change === undefined ? Infinity : this.#startedAt + change.atMs;
  }

  /** The next change that is due, or undefined. Call until undefined. */
  due(now: Millis): ProfileChange | undefined {
    return this.nextTimeout() <= now ? this.#changes[this.#next++] : undefined;
  }
}
