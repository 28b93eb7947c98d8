import type { HistoryEvent } from '../group/history.ts';
import type { LinearizabilityViolation } from './linearizability.ts';
import { describeOperation } from './wgl/operation-text.ts';

const WIDTH = 110;
/** Operations drawn: those next to the one that fails matter, the others are counted. */
const MAX_ROWS = 14;
const MIN_AXIS = 24;
const LABEL_LIMIT = 56;

/**
 * A violation as text of at most 110 columns: one line that says what is wrong, and a line of time for each operation near the one that has no
 * place (>). The operations of the order that was found carry their numbers in it.
 */
export function explainViolation({ explanation, evidence, prefix, blocked, stuck }: LinearizabilityViolation): string {
  const shown = select(evidence, prefix, blocked, stuck);
  const places = new Map(prefix.map((event, i) => [event, i + 1]));
  const begin = Math.min(...shown.map(({ invoke }) => invoke));
  const end = Math.max(...shown.map(({ invoke, complete }) => complete ?? invoke), blocked.complete!);
  const marks = shown.map((event) => (event === blocked ? '>' : stuck.includes(event) ? '?' : (places.get(event) ?? '–').toString()));
  const labels = shown.map((event) => clip(`p${event.process} ${describeOperation(event)}`, LABEL_LIMIT));
  const markWidth = Math.max(...marks.map((mark) => mark.length));
  const labelWidth = Math.max(...labels.map((label) => label.length));
  const columns = Math.max(MIN_AXIS, WIDTH - markWidth - labelWidth - 3);
  const scale = (ns: number): number => (end === begin ? 0 : Math.round(((Math.min(ns, end) - begin) / (end - begin)) * (columns - 1)));
  const rows = shown.map((event, i) => `${marks[i]!.padStart(markWidth)} ${labels[i]!.padEnd(labelWidth)}  ${bar(event, scale, columns)}`.trimEnd());
  const omitted = evidence.length - shown.length;
  return [
    ...wrap(explanation),
    `${' '.repeat(markWidth + 1)}${''.padEnd(labelWidth)}  ${axis(begin, end, columns)}`,
    ...rows,
    ...wrap(legend(marks, omitted)),
  ].map((line) => `${line.trimEnd()}\n`).join('');
}

/** The one that fails, what overlaps it, who wrote what it found, and the last of the order; by the time of invocation. */
function select(evidence: readonly HistoryEvent[], prefix: readonly HistoryEvent[], blocked: HistoryEvent, stuck: readonly HistoryEvent[]): HistoryEvent[] {
  const chosen = new Set<HistoryEvent>([blocked, ...stuck.slice(0, MAX_ROWS - 4)]);
  const add = (events: readonly HistoryEvent[]): void => {
    for (const event of events) if (chosen.size < MAX_ROWS) chosen.add(event);
  };
  const found = blocked.op === 'get' ? blocked.result : blocked.old;
  if (found !== null) add(evidence.filter(({ value }) => value === found));
  const writes = [...prefix].reverse().filter(({ op, result }) => op !== 'get' && !(op === 'cas' && result === false));
  add(writes.slice(0, 3));
  add([...prefix].reverse().slice(0, 3));
  add(evidence.filter(({ complete, ok }) => ok === true && complete! >= blocked.invoke));
  add(evidence.filter(({ ok }) => ok === null).reverse());
  add([...prefix].reverse());
  return [...chosen].sort((a, b) => a.invoke - b.invoke || (a.complete ?? Infinity) - (b.complete ?? Infinity));
}

function bar({ invoke, complete }: HistoryEvent, scale: (ns: number) => number, columns: number): string {
  const from = scale(invoke);
  if (complete === null) return `${' '.repeat(from)}|${'.'.repeat(Math.max(0, columns - 1 - from))}`;
  const to = scale(complete);
  return `${' '.repeat(from)}|${to > from ? `${'-'.repeat(to - from - 1)}|` : ''}`;
}

function axis(begin: number, end: number, columns: number): string {
  const show = (ns: number): string => (end - begin < 1e6 ? `${(ns / 1e3).toFixed(3)} µs` : `${(ns / 1e6).toFixed(3)} ms`);
  const left = show(begin);
  const right = show(end);
  return `${left}${right.padStart(Math.max(right.length + 1, columns - left.length))}`;
}

function legend(marks: readonly string[], omitted: number): string {
  const parts = ['numbers: places in the longest order that fits', '>: has no place in any'];
  if (marks.includes('?')) parts.push('?: under way with it, no place yet');
  if (marks.includes('–')) parts.push('–: outcome unknown, not needed');
  if (omitted > 0) parts.push(`not shown: ${omitted} more on this key`);
  return parts.join('; ');
}

function clip(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

/** At blanks, so that no line is too wide. */
function wrap(text: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ').flatMap((each) => each.match(/.{1,100}/gsu) ?? [''])) {
    if (line !== '' && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
