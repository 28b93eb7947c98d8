import { oneLine } from './exit.ts';

/** The part of a terminal or file that output needs; process.stdout and process.stderr have it. */
export interface OutputStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface ReporterOptions {
  readonly json?: boolean | undefined;
  readonly quiet?: boolean | undefined;
  readonly stdout?: OutputStream;
  readonly stderr?: OutputStream;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

const CLEAR_LINE = '\r\u001b[K';
const DEFAULT_COLUMNS = 80;

/**
 * Where a command's words go: human lines to stderr, with --json one object a line to stdout instead. A status line, which is rewritten in
 * place, exists on terminals only, and steps aside for every other line.
 */
export class Reporter {
  readonly isJson: boolean;
  readonly isQuiet: boolean;
  /** stderr is a terminal that can rewrite a line, and its reader wants to see one. */
  readonly isInteractive: boolean;
  readonly #stdout: OutputStream;
  readonly #stderr: OutputStream;
  #hasStatus = false;

  constructor({ json = false, quiet = false, stdout = process.stdout, stderr = process.stderr, env = process.env }: ReporterOptions = {}) {
    this.isJson = json;
    this.isQuiet = quiet;
    this.#stdout = stdout;
    this.#stderr = stderr;
    this.isInteractive = stderr.isTTY === true && env['TERM'] !== 'dumb' && !json && !quiet;
  }

  /** Width of the terminal behind stderr. */
  get columns(): number {
    const columns = this.#stderr.columns;
    return columns !== undefined && columns > 0 ? columns : DEFAULT_COLUMNS;
  }

  /** What happens meanwhile: hidden by --quiet and --json. `text` may have several lines. */
  info(text: string): void {
    if (!this.isQuiet && !this.isJson) this.#human(text);
  }

  /** What came out: hidden by --json only. */
  result(text: string): void {
    if (!this.isJson) this.#human(text);
  }

  /** What went wrong without ending the command: always shown, in one line. */
  warn(text: string): void {
    this.#human(`failmask: ${oneLine(text)}`);
  }

  /** One object, one line on stdout, under --json only. */
  json(object: Readonly<Record<string, unknown>>): void {
    if (this.isJson) this.#stdout.write(`${JSON.stringify(object)}\n`);
  }

  /** Rewrites the status line. The caller keeps it shorter than `columns`. */
  status(text: string): void {
    if (!this.isInteractive) return;
    this.#stderr.write(CLEAR_LINE + text);
    this.#hasStatus = true;
  }

  clearStatus(): void {
    if (!this.#hasStatus) return;
    this.#stderr.write(CLEAR_LINE);
    this.#hasStatus = false;
  }

  #human(text: string): void {
    this.clearStatus();
    this.#stderr.write(`${text}\n`);
  }
}

export type Colour = 'red' | 'green' | 'yellow' | 'bold' | 'dim';
export type Paint = (colour: Colour, text: string) => string;

const COLOUR_CODES: Readonly<Record<Colour, readonly [number, number]>> = { red: [31, 39], green: [32, 39], yellow: [33, 39], bold: [1, 22], dim: [2, 22] };

/** Colours for a terminal; plain text for everything else, for TERM=dumb, and where NO_COLOR is set and not empty (no-color.org). */
export function makePaint(stream: OutputStream, env: Readonly<Record<string, string | undefined>> = process.env): Paint {
  const isPlain = stream.isTTY !== true || env['TERM'] === 'dumb' || (env['NO_COLOR'] ?? '') !== '';
  if (isPlain) return (_colour, text) => text;
  return (colour, text) => `\u001b[${COLOUR_CODES[colour][0]}m${text}\u001b[${COLOUR_CODES[colour][1]}m`;
}
