/** Exit codes: part of the command line's contract, documented in the README. */
export const Exit = {
  done: 0,
  /** A file, a disk, an address in use, a bug. */
  runtimeError: 1,
  wrongUsage: 2,
  /** Refused, unreachable or timed out before the connection was established. */
  noConnection: 3,
  /** ECONNRESET: the peer lost or gave up an established connection. */
  connectionReset: 4,
  /** ETIMEDOUT: an established connection fell silent, or a group gave no answer in time: crashes, detected and not masked. */
  timedOut: 5,
  bytesDiffer: 6,
  /** A verdict or a --threshold is not what was expected. */
  expectationNotMet: 99,
  /** 128 + SIGINT. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof Exit)[keyof typeof Exit];

/** Ends a command with one line on stderr and this exit code; an empty message prints nothing. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError';
  readonly exitCode: ExitCode;

  constructor(message: string, exitCode: ExitCode) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** A flag, a value or a command that is not understood. `message` names the flag. */
export class UsageError extends CommandError {
  override readonly name = 'UsageError';

  constructor(message: string) {
    super(message, Exit.wrongUsage);
  }
}

/** Codes that mean "no connection" also when the error comes from a name look-up or a system call, without details. */
const NO_CONNECTION_CODES: ReadonlySet<string> = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN']);

/**
 * The exit code that an error stands for. Transport errors carry `code` and `details.established`: whatever goes wrong before the connection
 * is established is "no connection"; only afterwards do a reset and a timeout have codes of their own.
 */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CommandError) return error.exitCode;
  if (typeof error !== 'object' || error === null) return Exit.runtimeError;
  const { code, details } = error as { code?: unknown; details?: { established?: unknown } | null };
  if (details?.established === false) return Exit.noConnection;
  if (details?.established === true) {
    if (code === 'ECONNRESET' || code === 'EPIPE') return Exit.connectionReset;
    return code === 'ETIMEDOUT' ? Exit.timedOut : Exit.runtimeError;
  }
  return typeof code === 'string' && NO_CONNECTION_CODES.has(code) ? Exit.noConnection : Exit.runtimeError;
}

/** The error in one line, without a stack. Empty only for a CommandError that asks for silence. */
export function describeError(error: unknown): string {
  if (error instanceof CommandError) return oneLine(error.message);
  if (!(error instanceof Error)) return oneLine(String(error));
  const { code } = error as NodeJS.ErrnoException;
  const message = oneLine(error.message);
  if (message === '') return code ?? error.name;
  return code === undefined || message.includes(code) ? message : `${code}: ${message}`;
}

/** Joins lines and drops control characters: a message may quote what came from outside. */
export function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\s]+/g, ' ').trim();
}
