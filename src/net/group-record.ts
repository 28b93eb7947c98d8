import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Place } from './group-links.ts';
import { parseLine } from './group-process.ts';
import { replaceFile } from './output-file.ts';

export const PROCESS_KINDS = ['member', 'view-server', 'balancer'] as const;
export type ProcessKind = (typeof PROCESS_KINDS)[number];

/** Who a process of a group is, from one start to the next. */
export interface Identity {
  readonly id: string;
  readonly kind: ProcessKind;
  /** UDP; 0 until the system has chosen. */
  port: number;
  /** One of the first members, who know each other from the beginning. */
  readonly isFounder: boolean;
}

/** Who belongs to a group. */
export interface GroupRecord {
  readonly mode: string;
  /** What is replicated. */
  readonly service: string;
  readonly clusterId: string;
  /** Number of the next member. */
  readonly next: number;
  /** The first members, those included that have left: a member that has heard of no change yet must not take the rest for all. */
  readonly founders: readonly Place[];
  readonly processes: readonly Identity[];
}

/** Whose disk a directory is. */
export interface DiskLabel {
  readonly mode: string;
  readonly clusterId: string;
  readonly id: string;
  /** The disk that the group was founded with, not one that took the place of another. */
  readonly isFounding: boolean;
  /** Something was written to it: a log is there. */
  readonly hasBegun: boolean;
}

const GROUP_FILE = 'group.json';
const LABEL_FILE = 'member.json';
/** What to do about a disk that is gone. */
export const REMEDY = 'put a new member in its place: failmask group rebuild';
const PROCESS_ID = /^[a-z]\d{1,9}$/;

/** Undefined when no group lives in this directory. Throws Error for what cannot be believed. */
export async function readGroupRecord(directory: string): Promise<GroupRecord | undefined> {
  const path = join(directory, GROUP_FILE);
  const saved = await readObject(path);
  if (saved === undefined) return undefined;
  const { mode, service, clusterId, next, founders, processes } = saved;
  const isName = typeof mode === 'string' && typeof service === 'string' && typeof clusterId === 'string';
  if (!isName || !isWhole(next, Number.MAX_SAFE_INTEGER) || !isListOf(founders, isPlace) || !isListOf(processes, isIdentity)) {
    throw new Error(`${path} is damaged: it does not say who belongs to the group`);
  }
  return { mode, service, clusterId, next, founders, processes };
}

export async function writeGroupRecord(directory: string, { mode, service, clusterId, next, founders, processes }: GroupRecord): Promise<void> {
  await replaceFile(join(directory, GROUP_FILE), `${JSON.stringify({ mode, service, clusterId, next, founders, processes }, undefined, 2)}\n`);
}

/** Makes an empty disk for a member, also of one that nothing was written to. Throws Error when somebody's memory is there. */
export async function makeDisk(directory: string, label: Omit<DiskLabel, 'hasBegun'>): Promise<void> {
  await mkdir(directory, { recursive: true });
  const names = await readdir(directory);
  const others = names.filter((name) => !name.startsWith(LABEL_FILE));
  // Where a first start has failed, folders and locks may be left; nothing was promised without a log.
  const isUnused = !names.includes('log') && names.includes(LABEL_FILE) && (await readObject(join(directory, LABEL_FILE)))?.['hasBegun'] === false;
  if (others.length > 0 && !isUnused) throw new Error(`${directory} is not empty (${others[0]}), and ${GROUP_FILE} beside it does not know of it: move it away`);
  await writeDiskLabel(directory, { ...label, hasBegun: false });
}

export async function writeDiskLabel(directory: string, { mode, clusterId, id, isFounding, hasBegun }: DiskLabel): Promise<void> {
  await replaceFile(join(directory, LABEL_FILE), `${JSON.stringify({ mode, clusterId, id, isFounding, hasBegun })}\n`);
}

/**
 * Throws Error for a disk that is gone, or another's. A member whose disk is gone must not go on under its name: what it had promised, to a
 * candidate or a leader, it no longer knows.
 */
export async function readDiskLabel(directory: string, { mode, clusterId, id }: Pick<DiskLabel, 'mode' | 'clusterId' | 'id'>): Promise<DiskLabel> {
  const path = join(directory, LABEL_FILE);
  const saved = await readObject(path);
  if (saved === undefined) throw new Error(`${path} is not there: the disk of ${id} is gone, and with it what ${id} had promised; ${REMEDY} ${id}`);
  if (saved['mode'] !== mode || saved['clusterId'] !== clusterId || saved['id'] !== id) {
    throw new Error(`${path}: the disk of ${String(saved['id'])} of the group "${String(saved['clusterId'])}" (${String(saved['mode'])}), not of ${id} of "${clusterId}" (${mode})`);
  }
  return { mode, clusterId, id, isFounding: saved['isFounding'] === true, hasBegun: saved['hasBegun'] === true };
}

/** Undefined when there is no such file. */
async function readObject(path: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const saved = parseLine(text);
  if (saved === undefined) throw new Error(`${path} is damaged: no JSON object`);
  return saved;
}

function isListOf<T>(value: unknown, isOne: (item: unknown) => item is T): value is T[] {
  return Array.isArray(value) && value.every(isOne);
}

function isPlace(value: unknown): value is Place {
  if (typeof value !== 'object' || value === null) return false;
  const { id, address } = value as Record<string, unknown>;
  return typeof id === 'string' && PROCESS_ID.test(id) && typeof address === 'string';
}

function isIdentity(value: unknown): value is Identity {
  if (typeof value !== 'object' || value === null) return false;
  const { id, kind, port, isFounder } = value as Record<string, unknown>;
  return typeof id === 'string' && PROCESS_ID.test(id) && PROCESS_KINDS.includes(kind as ProcessKind) && isWhole(port, 65535) && typeof isFounder === 'boolean';
}

function isWhole(value: unknown, max: number): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max;
}
