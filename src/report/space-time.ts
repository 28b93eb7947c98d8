import type { Millis } from '../core/machine.ts';
import { displayWidth } from './table.ts';
import { clip, wrap } from './wrap.ts';

/**
 * Runs of a few members as text: time goes down, each member has a lane, messages are arrows from lane to lane, and each line
 * is one transition. And two runs next to each other, as one of the members sees them.
 */
export interface Lane {
  readonly name: string;
  /** One character for what the member is at the beginning. Default `|`. */
  readonly symbol?: string;
}

export interface StoryMessage {
  /** A lane's name. */
  readonly to: string;
  /** Not before it is sent. Undefined: it is lost. */
  readonly receivedAt: Millis | undefined;
}

export interface StoryEvent {
  readonly at: Millis;
  /** A lane's name. */
  readonly lane: string;
  readonly text: string;
  /** What the member is from now on, as one character. */
  readonly symbol?: string;
  /** The event is that it sends this. */
  readonly message?: StoryMessage;
  /** Marked at the margin: this must not happen. */
  readonly isWrong?: boolean;
}

export interface Story {
  readonly lanes: readonly Lane[];
  /** In any order; those of one time in the order in which they stand here. */
  readonly events: readonly StoryEvent[];
}

/** A line of what happened, and whether the observer takes part in it. */
export interface TranscriptLine {
  readonly text: string;
  readonly isSeen: boolean;
}

/** What the pictures say besides what their events say, in the reader's language. */
export interface StoryWords {
  readonly lost: string;
  arrivesAt(ms: number): string;
  canTell(observer: string, left: string, right: string): string;
  cannotTell(observer: string, lines: number): string;
  seesNothing(observer: string): string;
  readonly nothingMore: string;
}

export const STORY_WIDTH = 100;
const MIN_TEXT = 30;
const MAX_GAP = 14;
const MIN_GAP = 6;
/** Between the last lane and the text. */
const TEXT_GAP = 3;
const WRONG = '!';

/** One line of the picture. */
interface Transition {
  readonly at: Millis;
  readonly event: StoryEvent;
  /** whole: sent and received, and nothing that the receiver does or hears lies between. */
  readonly part: 'local' | 'send' | 'receive' | 'whole' | 'lost';
  /** By which the two halves of a message are known. */
  readonly number: number;
  /** Something happens elsewhere before it arrives. */
  readonly isLate: boolean;
}

/**
 * At most 100 columns, each line ended by a newline. A message is an arrow on the line where it is sent, unless its receiver does or hears something
 * else before it arrives: then it is two halves with the same number. Throws RangeError for a lane that is not there, a message that is received before it is sent, or too many lanes.
 */
export function spaceTime(story: Story, words: StoryWords): string {
  const { lanes } = story;
  const transitions = transitionsOf(story);
  const digits = Math.max(0, ...transitions.map(({ at }) => decimals(at)));
  const times = transitions.map(({ at }) => at.toFixed(digits));
  const timeWidth = Math.max(2, ...times.map((time) => time.length));
  const firstLane = timeWidth + 4;
  const room = STORY_WIDTH - firstLane - TEXT_GAP - 1 - MIN_TEXT;
  const gap = lanes.length < 2 ? MAX_GAP : Math.min(MAX_GAP, Math.floor(room / (lanes.length - 1)), Math.max(MIN_GAP + 2, ...lanes.map(({ name }) => displayWidth(name) + 2)));
  if (gap < MIN_GAP) throw new RangeError(`${lanes.length} lanes do not fit ${STORY_WIDTH} columns`);
  const places = new Map(lanes.map(({ name }, i) => [name, firstLane + i * gap]));
  const symbols = new Map(lanes.map(({ name, symbol }) => [name, symbol ?? '|']));
  const textAt = firstLane + Math.max(0, lanes.length - 1) * gap + 1 + TEXT_GAP;
  const header = `  ${'ms'.padStart(timeWidth)}  ${lanes.map(({ name }) => fill(clip(name, gap - 1), gap)).join('')}`;
  const lines = [header.trimEnd()];
  transitions.forEach((transition, i) => {
    const { event } = transition;
    if (event.symbol !== undefined && transition.part !== 'receive') symbols.set(event.lane, event.symbol);
    const margin = `${event.isWrong === true ? WRONG : ' '} ${times[i]!.padStart(timeWidth)}  `;
    const picture = draw(transition, places, symbols, textAt);
    wrap(describe(transition, words), STORY_WIDTH - textAt).forEach((text, row) => {
      const left = row === 0 ? margin + picture.slice(margin.length) : bare(places, symbols, textAt);
      lines.push((left + text).trimEnd());
    });
  });
  return lines.map((line) => `${line}\n`).join('');
}

/** What happened, as lines in which the observer's part has only what it can know: not the time, nor whether what it sent has arrived. */
export function transcriptOf(story: Story, observer: string, words: StoryWords): TranscriptLine[] {
  if (!story.lanes.some(({ name }) => name === observer)) throw new RangeError(`no lane ${observer}`);
  const lines: TranscriptLine[] = [];
  for (const { event, part } of transitionsOf(story)) {
    const { lane, text, message } = event;
    if (message === undefined) {
      lines.push({ text: `${lane}: ${text}`, isSeen: lane === observer });
      continue;
    }
    const said = `${lane} → ${message.to}: ${text}`;
    const hears = message.to === observer && message.receivedAt !== undefined;
    // A message has one line: where the observer hears it, or else where it is sent.
    if (part === 'receive' ? !hears : part === 'send' && hears && lane !== observer) continue;
    const isSeen = hears || lane === observer;
    lines.push({ text: part === 'lost' && !isSeen ? `${said} (${words.lost})` : said, isSeen });
  }
  return lines;
}

/**
 * Two transcripts next to each other, of at most 100 columns. What the observer sees in one stands beside what it sees in the other, first
 * beside first and so on, with = between them where they are equal and ≠ where not; what it does not see stands between. The last
 * line says whether it can tell them apart.
 */
export function sideBySide(a: readonly TranscriptLine[], b: readonly TranscriptLine[], titles: readonly [string, string], observer: string, words: StoryWords): string {
  const width = (STORY_WIDTH - 3) >> 1;
  const rows: [string, string, string][] = [[titles[0], ' ', titles[1]], ['-'.repeat(width), ' ', '-'.repeat(width)]];
  let i = 0;
  let j = 0;
  let equal = 0;
  let different: string | undefined;
  while (i < a.length || j < b.length) {
    const left = a[i];
    const right = b[j];
    const isLeftSeen = left?.isSeen === true;
    const isRightSeen = right?.isSeen === true;
    if (left !== undefined && !isLeftSeen && right !== undefined && !isRightSeen) rows.push([a[i++]!.text, '|', b[j++]!.text]);
    else if (left !== undefined && !isLeftSeen) rows.push([a[i++]!.text, '|', '']);
    else if (right !== undefined && !isRightSeen) rows.push(['', '|', b[j++]!.text]);
    else {
      const isEqual = left?.text === right?.text;
      if (isEqual) equal++;
      else different ??= words.canTell(observer, quote(left, words), quote(right, words));
      rows.push([left?.text ?? '', isEqual ? '=' : '≠', right?.text ?? '']);
      i++;
      j++;
    }
  }
  const lines = rows.flatMap(([left, mark, right]) => {
    const lefts = wrap(left, width);
    const rights = wrap(right, width);
    return Array.from({ length: Math.max(lefts.length, rights.length) }, (_, row) => `${fill(lefts[row] ?? '', width)} ${row === 0 ? mark : ' '} ${rights[row] ?? ''}`);
  });
  const same = equal === 0 ? words.seesNothing(observer) : words.cannotTell(observer, equal);
  return [...lines, ...wrap(different ?? same, STORY_WIDTH)].map((line) => `${line.trimEnd()}\n`).join('');
}

function transitionsOf({ lanes, events }: Story): Transition[] {
  const names = new Set(lanes.map(({ name }) => name));
  if (names.size < lanes.length) throw new RangeError('two lanes have one name');
  const halves = events.flatMap((event, i): { at: Millis; order: number; event: StoryEvent; isReceipt: boolean }[] => {
    const { at, lane, message } = event;
    for (const name of message === undefined ? [lane] : [lane, message.to]) if (!names.has(name)) throw new RangeError(`no lane ${name}`);
    const sent = { at, order: 2 * i, event, isReceipt: false };
    if (message?.receivedAt === undefined) return [sent];
    if (message.receivedAt < at) throw new RangeError(`received at ${message.receivedAt}, sent at ${at}`);
    return [sent, { at: message.receivedAt, order: 2 * i + 1, event, isReceipt: true }];
  }).sort((a, b) => a.at - b.at || a.order - b.order);
  const laneOf = ({ event, isReceipt }: (typeof halves)[number]): string => (isReceipt ? event.message!.to : event.lane);
  const numbers = new Map<StoryEvent, number>();
  const drawn = new Set<StoryEvent>();
  const transitions: Transition[] = [];
  halves.forEach(({ at, event, isReceipt }, i) => {
    const { message } = event;
    const add = (part: Transition['part'], number = 0, isLate = false): void => void transitions.push({ at, event, part, number, isLate });
    if (message === undefined) return add('local');
    if (isReceipt) return drawn.has(event) ? undefined : add('receive', numbers.get(event));
    if (message.receivedAt === undefined) return add('lost');
    const between = halves.slice(i + 1, halves.findIndex((half) => half.event === event && half.isReceipt));
    if (between.some((half) => laneOf(half) === message.to)) {
      numbers.set(event, numbers.size + 1);
      return add('send', numbers.size);
    }
    drawn.add(event);
    add('whole', 0, between.some((half) => half.at > at && half.at < message.receivedAt!));
  });
  return transitions;
}

function describe({ event: { lane, text, message }, part, number, isLate }: Transition, words: StoryWords): string {
  switch (part) {
    case 'local':
      return `${lane}: ${text}`;
    case 'whole':
      return `${lane} → ${message!.to}: ${text}${isLate ? ` (${words.arrivesAt(message!.receivedAt!)})` : ''}`;
    case 'lost':
      return `${lane} → ${message!.to}: ${text} (${words.lost})`;
    case 'send':
      return `${lane} → ${message!.to}: ${text} (${number})`;
    case 'receive':
      return `${message!.to} ← ${lane}: ${text} (${number})`;
  }
}

/** The lanes and nothing else. */
function bare(places: ReadonlyMap<string, number>, symbols: ReadonlyMap<string, string>, width: number): string {
  const row = Array.from({ length: width }, () => ' ');
  for (const [name, at] of places) row[at] = symbols.get(name)!;
  return row.join('');
}

function draw({ event: { lane, message }, part, number }: Transition, places: ReadonlyMap<string, number>, symbols: ReadonlyMap<string, string>, width: number): string {
  const row = [...bare(places, symbols, width)];
  if (message === undefined) return row.join('');
  const from = places.get(lane)!;
  const to = places.get(message.to)!;
  if (from === to) {
    row[from + 1] = '@';
    return row.join('');
  }
  const step = to > from ? 1 : -1;
  const head = to > from ? '>' : '<';
  const label = [...String(number)];
  const isLane = (at: number): boolean => [...places.values()].includes(at);
  const put = (at: number, characters: readonly string[]): void => characters.forEach((character, i) => (row[at + i] = character));
  switch (part) {
    case 'whole':
      for (let at = from + step; at !== to; at += step) row[at] = '-';
      row[to - step] = head;
      break;
    case 'lost': {
      let end = from + step * Math.max(2, Math.abs(to - from) >> 1);
      // Not on a lane: that member is still there.
      if (isLane(end)) end -= step;
      for (let at = from + step; at !== end; at += step) row[at] = '-';
      row[end] = 'x';
      break;
    }
    case 'send':
      row[from + step] = '-';
      put(step > 0 ? from + 2 : from - 1 - label.length, label);
      break;
    case 'receive':
      row[to - step] = head;
      put(step > 0 ? to - 1 - label.length : to + 2, label);
      break;
    case 'local':
      break;
  }
  return row.join('');
}

function quote(line: TranscriptLine | undefined, words: StoryWords): string {
  return line === undefined ? words.nothingMore : `"${line.text}"`;
}

/** Of thousandths, those that are needed. */
function decimals(at: Millis): number {
  const text = at.toFixed(3).replace(/\.?0+$/u, '');
  const point = text.indexOf('.');
  return point < 0 ? 0 : text.length - point - 1;
}

function fill(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)));
}
