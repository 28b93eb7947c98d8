import type { Millis } from '../../core/machine.ts';
import type { Role } from '../../group/replica.ts';
import type { PlaceState } from './member-place.ts';

/** One character for what a member is, so that a row of them shows a group at a glance. */
const SYMBOLS: Readonly<Record<Role, string>> = {
  leader: '/', primary: '/', follower: '\\', backup: '\\', candidate: '|', 'pre-candidate': '!', learner: '~', outside: '~', member: '=', failed: 'x',
};
const DOWN = '#';
const PAUSED = 'z';

export const LEGEND = "/ leads  \\ follows  | candidate  ! pre-candidate  ~ learner or outside  = one of equals  x failed  z paused  # down";

interface Line {
  readonly atMs: Millis;
  readonly row: string;
  readonly who: string;
  readonly text: string;
}

/** The last transitions of a run, one a line, with a column for each member. Older ones are forgotten. */
export class TransitionLog {
  readonly #keep: number;
  readonly #symbols: string[] = [];
  readonly #lines: Line[] = [];
  #next = 0;

  constructor(keep: number) {
    this.#keep = keep;
  }

  show(column: number, role: Role, state: PlaceState): void {
    while (this.#symbols.length <= column) this.#symbols.push(DOWN);
    this.#symbols[column] = state === 'down' ? DOWN : state === 'paused' ? PAUSED : SYMBOLS[role];
  }

  add(atMs: Millis, who: string, text: string): void {
    if (this.#keep === 0) return;
    const line = { atMs, row: this.#symbols.join(''), who, text };
    if (this.#lines.length < this.#keep) this.#lines.push(line);
    else this.#lines[this.#next % this.#keep] = line;
    this.#next++;
  }

  lines(): string[] {
    const first = this.#lines.length < this.#keep ? 0 : this.#next % this.#keep;
    return [...this.#lines.slice(first), ...this.#lines.slice(0, first)].map(
      ({ atMs, row, who, text }) => `${atMs.toFixed(3).padStart(12)} ${row}  ${who.padEnd(5)} ${text}`,
    );
  }
}
