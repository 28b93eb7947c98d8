import { makeScale, type Scale, type ScaleKind } from './scale.ts';
import { element, escapeText, round, textWidth, wrapText, type Attributes } from './svg.ts';

/**
 * Line plots as self-contained SVG: no script, no outside font or style, white ground of its own. Series differ by shape and by colour.
 */
export interface LinePlot {
  readonly title: string;
  /** What the plot shows, in a sentence, for readers who cannot see it. */
  readonly description: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** Linear when absent. A logarithmic axis shows positive values only; how many points that hides is said below the plot. */
  readonly xScale?: ScaleKind;
  readonly yScale?: ScaleKind;
  readonly series: readonly Series[];
  /** Lines below the plot: seeds, machine, what was held fixed. */
  readonly notes?: readonly string[];
}

export interface Series {
  readonly name: string;
  /** In drawing order. */
  readonly points: readonly PlotPoint[];
  /** A reference (an ideal, a model): a dashed line without marks. */
  readonly dashed?: boolean;
}

export interface PlotPoint {
  readonly x: number;
  /** The median. */
  readonly y: number;
  /** Ends of the whisker: smallest and largest value. */
  readonly low?: number;
  readonly high?: number;
}

const WIDTH = 860;
const PLOT_HEIGHT = 380;
const MARGIN = 24;
const TITLE_SIZE = 19;
const LABEL_SIZE = 15;
const TICK_SIZE = 14;
const NOTE_SIZE = 13;
const LINE_FACTOR = 1.4;
const LEGEND_ROW = 24;
const LEGEND_SAMPLE = 34;
const MARK_RADIUS = 4.5;
const WHISKER_CAP = 4;
/** Space between the frame and the outermost point, so that marks are not cut. */
const INSET = 14;

const FONTS = "'Helvetica Neue', Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif";
const INK = '#1a1a1a';
const MUTED = '#595959';
const GRID = '#dddddd';
/** Okabe and Ito's palette without yellow, which is too pale on white. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#000000', '#e69f00', '#56b4e9'];
const REFERENCE_COLOURS = ['#595959', '#000000', '#0072b2'];
const DASHES = ['8 5', '2 4', '10 4 2 4'];
const MARKS = ['circle', 'square', 'triangle', 'diamond', 'plus', 'cross', 'inverted'] as const;

interface Style {
  readonly colour: string;
  readonly mark: (typeof MARKS)[number] | undefined;
  readonly dash: string | undefined;
}

interface Frame {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  x(value: number): number;
  y(value: number): number;
}

/** The whole SVG document. Points that are not finite are left out, and break their line. */
export function linePlot(plot: LinePlot): string {
  const points = plot.series.flatMap((series) => series.points);
  const xScale = makeScale(plot.xScale ?? 'linear', points.map((point) => point.x), { maxTicks: 10 });
  const yValues = points.flatMap((point) => [point.y, point.low ?? point.y, point.high ?? point.y]);
  const yScale = makeScale(plot.yScale ?? 'linear', yValues, { maxTicks: 7, fromZero: true, roundEnds: true });
  const styles = plot.series.map((series, index) => styleOf(plot.series, series, index));

  const title = wrapText(plot.title, TITLE_SIZE, WIDTH - 2 * MARGIN);
  const titleBottom = MARGIN + title.length * TITLE_SIZE * LINE_FACTOR;
  const legend = layOutLegend(plot.series, WIDTH - 2 * MARGIN);
  const top = titleBottom + legend.rows * LEGEND_ROW + 14;
  const widestTick = Math.max(...yScale.ticks.map((tick) => textWidth(tick.label, TICK_SIZE)));
  const frame = makeFrame(MARGIN + LABEL_SIZE * LINE_FACTOR + widestTick + 8, top, xScale, yScale);
  const hidden = points.filter((point) => !isVisible(frame, point)).length;
  const hiddenNote = `${hidden} ${hidden === 1 ? 'point is' : 'points are'} not shown: no place on these axes.`;
  const notes = [...(plot.notes ?? []), ...(hidden === 0 ? [] : [hiddenNote])];
  const noteLines = notes.flatMap((note) => wrapText(note, NOTE_SIZE, WIDTH - 2 * MARGIN));
  const xLabelBaseline = frame.bottom + TICK_SIZE * 1.9 + LABEL_SIZE * 1.3;
  const height = xLabelBaseline + (noteLines.length === 0 ? 0 : 8 + noteLines.length * NOTE_SIZE * LINE_FACTOR) + MARGIN * 0.75;

  const middleX = (frame.left + frame.right) / 2;
  const middleY = (frame.top + frame.bottom) / 2;
  const centred = { 'text-anchor': 'middle' };
  const turned = { ...centred, transform: `translate(${round(MARGIN + LABEL_SIZE * 0.5)} ${round(middleY)}) rotate(-90)` };
  const parts = [
    element('title', {}, escapeText(plot.title)),
    element('desc', {}, escapeText(plot.description)),
    element('rect', { width: WIDTH, height, fill: '#ffffff' }),
    ...title.map((text, index) => label(text, MARGIN, MARGIN + TITLE_SIZE * (0.85 + index * LINE_FACTOR), TITLE_SIZE, { 'font-weight': 'bold' })),
    ...plot.series.map(({ name }, index) => {
      const { x, row } = legend.places[index]!;
      return legendEntry(name, styles[index]!, MARGIN + x, titleBottom + 14 + row * LEGEND_ROW);
    }),
    ...axes(frame, xScale, yScale),
    label(plot.xLabel, middleX, xLabelBaseline, LABEL_SIZE, centred),
    label(plot.yLabel, 0, 0, LABEL_SIZE, turned),
    ...(points.length === hidden ? [label('no data', middleX, middleY, LABEL_SIZE, { ...centred, fill: MUTED })] : []),
    ...plot.series.map((series, index) => drawSeries(frame, series, styles[index]!)),
    ...noteLines.map((text, index) => label(text, MARGIN, xLabelBaseline + 8 + (index + 1) * NOTE_SIZE * LINE_FACTOR, NOTE_SIZE, { fill: MUTED })),
  ];
  const viewBox = `0 0 ${WIDTH} ${round(height)}`;
  const root = { xmlns: 'http://www.w3.org/2000/svg', viewBox, width: WIDTH, height, role: 'img', 'font-family': FONTS };
  return `${element('svg', root, `\n${parts.join('\n')}\n`)}\n`;
}

/** References and measured series count separately, so that a reference takes no mark from the others. */
function styleOf(all: readonly Series[], series: Series, index: number): Style {
  const isReference = series.dashed === true;
  const nth = all.slice(0, index).filter((other) => (other.dashed === true) === isReference).length;
  if (isReference) return { colour: REFERENCE_COLOURS[nth % REFERENCE_COLOURS.length]!, mark: undefined, dash: DASHES[nth % DASHES.length]! };
  // Seven colours and seven marks; from the eighth series on, their pairing shifts.
  const mark = MARKS[(nth + Math.floor(nth / COLOURS.length)) % MARKS.length]!;
  return { colour: COLOURS[nth % COLOURS.length]!, mark, dash: undefined };
}

function makeFrame(left: number, top: number, xScale: Scale, yScale: Scale): Frame {
  const right = WIDTH - MARGIN;
  const bottom = top + PLOT_HEIGHT;
  return {
    left,
    top,
    right,
    bottom,
    x: (value) => left + INSET + xScale.place(value) * (right - left - 2 * INSET),
    y: (value) => bottom - yScale.place(value) * PLOT_HEIGHT,
  };
}

function isVisible(frame: Frame, point: PlotPoint): boolean {
  return Number.isFinite(frame.x(point.x)) && Number.isFinite(frame.y(point.y));
}

function layOutLegend(series: readonly Series[], widthPx: number): { places: { x: number; row: number }[]; rows: number } {
  let x = 0;
  let row = 0;
  const places = series.map(({ name }) => {
    const entryWidth = LEGEND_SAMPLE + 8 + textWidth(name, LABEL_SIZE) + 18;
    if (x > 0 && x + entryWidth > widthPx) {
      x = 0;
      row++;
    }
    const place = { x, row };
    x += entryWidth;
    return place;
  });
  return { places, rows: series.length === 0 ? 0 : row + 1 };
}

function legendEntry(name: string, style: Style, x: number, y: number): string {
  const sample = element('line', { x1: x, y1: y, x2: x + LEGEND_SAMPLE, y2: y, ...strokeOf(style) });
  const mark = style.mark === undefined ? '' : drawMark(x + LEGEND_SAMPLE / 2, y, style);
  return sample + mark + label(name, x + LEGEND_SAMPLE + 8, y + LABEL_SIZE * 0.35, LABEL_SIZE, {});
}

function axes(frame: Frame, xScale: Scale, yScale: Scale): string[] {
  const parts: string[] = [];
  for (const tick of yScale.ticks) {
    const y = frame.y(tick.value);
    parts.push(element('line', { x1: frame.left, y1: y, x2: frame.right, y2: y, stroke: GRID }));
    parts.push(label(tick.label, frame.left - 8, y + TICK_SIZE * 0.35, TICK_SIZE, { 'text-anchor': 'end' }));
  }
  for (const tick of xScale.ticks) {
    const x = frame.x(tick.value);
    parts.push(element('line', { x1: x, y1: frame.bottom, x2: x, y2: frame.bottom + 5, stroke: INK }));
    parts.push(label(tick.label, x, frame.bottom + TICK_SIZE * 1.5, TICK_SIZE, { 'text-anchor': 'middle' }));
  }
  parts.push(element('path', { d: `M${round(frame.left)} ${round(frame.top)}V${round(frame.bottom)}H${round(frame.right)}`, fill: 'none', stroke: INK }));
  return parts;
}

function drawSeries(frame: Frame, series: Series, style: Style): string {
  const whiskers: string[] = [];
  const marks: string[] = [];
  let path = '';
  let isPenDown = false;
  for (const point of series.points) {
    if (!isVisible(frame, point)) {
      isPenDown = false;
      continue;
    }
    const x = frame.x(point.x);
    const y = frame.y(point.y);
    path += `${isPenDown ? 'L' : 'M'}${round(x)} ${round(y)}`;
    isPenDown = true;
    whiskers.push(drawWhisker(frame, point, x, style));
    if (style.mark !== undefined) marks.push(drawMark(x, y, style));
  }
  const drawnPath = path === '' ? '' : element('path', { d: path, fill: 'none', ...strokeOf(style), 'stroke-linejoin': 'round' });
  return element('g', {}, `${whiskers.join('')}${drawnPath}${marks.join('')}`);
}

/** From low to high, with caps; an end that the axis cannot show is drawn down to the axis, without a cap. */
function drawWhisker(frame: Frame, { y, low = y, high = y }: PlotPoint, x: number, { colour }: Style): string {
  if (low === high) return '';
  const lowY = frame.y(low);
  const highY = frame.y(high);
  const from = Number.isFinite(lowY) ? lowY : frame.bottom;
  const to = Number.isFinite(highY) ? highY : frame.top;
  const caps = [lowY, highY].filter(Number.isFinite).map((end) => `M${round(x - WHISKER_CAP)} ${round(end)}h${2 * WHISKER_CAP}`);
  const d = `M${round(x)} ${round(from)}V${round(to)}${caps.join('')}`;
  return element('path', { d, fill: 'none', stroke: colour, 'stroke-width': 1.3, 'stroke-opacity': 0.75 });
}

/** A mark with a white edge, so that it stays readable on crossing lines. */
function drawMark(x: number, y: number, { colour, mark }: Style): string {
  const r = MARK_RADIUS;
  const filled = { fill: colour, stroke: '#ffffff', 'stroke-width': 1 };
  const polygon = (...corners: readonly (readonly [number, number])[]): string =>
    element('polygon', { points: corners.map(([dx, dy]) => `${round(x + dx * r)},${round(y + dy * r)}`).join(' '), ...filled });
  const stroked = (d: string): string => element('path', { d, stroke: colour, 'stroke-width': 2.6 });
  switch (mark) {
    case 'circle':
      return element('circle', { cx: x, cy: y, r, ...filled });
    case 'square':
      return polygon([-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]);
    case 'triangle':
      return polygon([0, -1.25], [1.15, 0.85], [-1.15, 0.85]);
    case 'inverted':
      return polygon([0, 1.25], [1.15, -0.85], [-1.15, -0.85]);
    case 'diamond':
      return polygon([0, -1.35], [1.35, 0], [0, 1.35], [-1.35, 0]);
    case 'plus':
      return stroked(`M${round(x - 1.2 * r)} ${round(y)}h${round(2.4 * r)}M${round(x)} ${round(y - 1.2 * r)}v${round(2.4 * r)}`);
    case 'cross':
      return stroked(`M${round(x - r)} ${round(y - r)}l${2 * r} ${2 * r}M${round(x + r)} ${round(y - r)}l${-2 * r} ${2 * r}`);
    case undefined:
      return '';
  }
}

function strokeOf({ colour, dash }: Style): Attributes {
  return { stroke: colour, 'stroke-width': 2.2, ...(dash === undefined ? {} : { 'stroke-dasharray': dash }) };
}

function label(text: string, x: number, y: number, size: number, attributes: Attributes): string {
  return element('text', { x, y, 'font-size': size, fill: INK, ...attributes }, escapeText(text));
}
