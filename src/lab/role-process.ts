import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Millis } from '../core/machine.ts';
import { superviseScript, type Child } from '../net/supervisor.ts';
import type { Milestone, RoleName, RoleParameters } from './roles.ts';

/** Compiled or under tsx: the script next to this one has the same ending. */
const HERE = fileURLToPath(import.meta.url);
const SCRIPT = fileURLToPath(new URL(`role-main${extname(HERE)}`, import.meta.url));

export type Report = Readonly<Record<string, unknown>>;

interface Waiting {
  resolve(report: Report): void;
  reject(error: Error): void;
}

/** One part of an experiment in a process of its own. It dies with this process, however that dies. */
export class RoleProcess<Role extends RoleName> {
  readonly role: Role;
  readonly #child: Child;
  readonly #onReport: ((report: Report) => void) | undefined;
  readonly #reports = new Map<string, Report>();
  readonly #waiting = new Map<string, Waiting[]>();
  #lastWords = '';
  #failure: Error | undefined;

  /** `onReport` hears every report as it comes. */
  constructor(role: Role, parameters: RoleParameters[Role], onReport?: (report: Report) => void) {
    this.role = role;
    this.#onReport = onReport;
    this.#child = superviseScript([SCRIPT, JSON.stringify({ role, parameters })]);
    this.#child.on('stdout', (line) => this.#hear(line));
    this.#child.on('stderr', (line) => {
      this.#lastWords = line;
    });
    this.#child.exited.then(
      ({ code, signal }) => this.#fail(new Error(`${role} ended (${signal ?? `exit code ${code}`})${this.#lastWords === '' ? '' : `: ${this.#lastWords}`}`)),
      (error: Error) => this.#fail(error),
    );
  }

  /** The report of that name, once it has come. Rejects when the process ends before, and after `timeoutMs`. */
  async report<T>(milestone: Milestone, timeoutMs: Millis): Promise<T> {
    const known = this.#reports.get(milestone);
    if (known !== undefined) return known as T;
    if (this.#failure !== undefined) throw this.#failure;
    return await new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.role}: no ${milestone} within ${timeoutMs} ms`)), timeoutMs);
      const waiting: Waiting = {
        resolve: (report) => {
          clearTimeout(timer);
          resolve(report as T);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      this.#waiting.set(milestone, [...(this.#waiting.get(milestone) ?? []), waiting]);
    });
  }

  /** Asks for the result as it stands now. */
  finish(): void {
    this.#child.kill('SIGTERM');
  }

  /** Ends it at once. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#child.exited.catch(() => undefined);
  }

  #hear(line: string): void {
    let report: Report;
    try {
      report = JSON.parse(line) as Report;
    } catch {
      this.#lastWords = line;
      return;
    }
    this.#onReport?.(report);
    const milestone = String(report['milestone']);
    this.#reports.set(milestone, report);
    for (const { resolve } of this.#waiting.get(milestone) ?? []) resolve(report);
    this.#waiting.delete(milestone);
  }

  #fail(error: Error): void {
    this.#failure = error;
    for (const { reject } of [...this.#waiting.values()].flat()) reject(error);
    this.#waiting.clear();
  }
}
