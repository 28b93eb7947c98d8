import type { Words } from './english.ts';
import type { ThresholdRow } from './thresholds.ts';

/** Something that a run shows. */
export interface Exhibit {
  readonly title: string;
  /** Pictures, tables and sentences, of lines that are ended by a newline. */
  readonly text: string;
  /** The run showed what it was to show. */
  readonly isShown: boolean;
  /** Runs that stand beside those of the tables. */
  readonly rows?: readonly ThresholdRow[];
}

export type MakeExhibit = (seed: number, words: Words) => Exhibit;
