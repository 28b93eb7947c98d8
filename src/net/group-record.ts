import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { parseAddress } from '../core/address.ts';
import type { Place } from './group-links.ts';
import { parseLine } from './group-process.ts';
import { makeDirectory, replaceFile } from './output-file.ts';

/** Those that remember something. */
const RECORDED_KINDS = ['member', 'view-server'] as const;
export type RecordedKind = (typeof RECORDED_KINDS)[number];
export type ProcessKind = RecordedKind | 'balancer';

/** Who a process of a group is, from one start to the next. */
export interface Identity<Kind extends ProcessKind = ProcessKind> {
  readonly id: string;
  readonly kind: Kind;
  /** UDP; 0 until the system has chosen. */
  port: number;
  /** One of the first members, who know each other from the beginning. */
  readonly isFounder: boolean;
}

/** What a group is from its foundation on. */
export interface Foundation {
  readonly mode: string;
  /** What is replicated. */
  readonly service: string;
  readonly clusterId: string;
  /** `view-service` or `none`. */
  readonly fence: string;
}

/** Who belongs to a group. Balancers remember nothing, and are not on record. */
export interface GroupRecord extends Foundation {
  /** Number of the next member. */
  readonly next: number;
  /** The first members, those included that have left: a member that has heard of no change yet must not take the rest for all. */
  readonly founders: readonly Place[];
  readonly processes: readonly Identity<RecordedKind>[];
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
const PROCESS_ID = /^[a-z]\d{1,9}$/;

/** What to do about a process whose disk is gone, or is not to be believed. */
export function remedyFor(id: string): string {
  return id.startsWith('v')
    ? 'a server of the view service is not replaced: the group goes on as long as a majority of these servers is up; without one, no member comes back that fails'
    : `put a new member in its place: failmask group rebuild ${id}`;
}

/** Undefined when no group lives in this directory. Throws Error for what cannot be believed, and when another kind of group lives there. */
export async function readGroupRecord(directory: string, wanted: Foundation): Promise<GroupRecord | undefined> {
  const path = join(directory, GROUP_FILE);
  const saved = await readObject(path);
  if (saved === undefined) return undefined;
  const { mode, service, clusterId, fence, next, founders, processes } = saved;
  const isFounded = typeof mode === 'string' && typeof service === 'string' && typeof clusterId === 'string' && typeof fence === 'string';
  if (!isFounded || !isWhole(next, Number.MAX_SAFE_INTEGER) || !isListOf(founders, isPlace) || !isListOf(processes, isIdentity)) {
    throw new Error(`${path} is damaged: it does not say who belongs to the group`);
  }
  const record = { mode, service, clusterId, fence, next, founders, processes };
  const contradiction = contradictionIn(record);
  if (contradiction !== undefined) throw new Error(`${path} is damaged: ${contradiction}`);
  if (clusterId !== wanted.clusterId) throw new Error(`${directory}: the group "${clusterId}" lives there`);
  for (const name of ['mode', 'service', 'fence'] as const) {
    if (record[name] !== wanted[name]) throw new Error(`${directory}: a group with --${name} ${record[name]} lives there, not ${wanted[name]}`);
  }
  return record;
}

function contradictionIn({ next, processes }: GroupRecord): string | undefined {
  const ids = processes.map(({ id }) => id);
  const twice = ids.find((id, i) => ids.indexOf(id) !== i);
  if (twice !== undefined) return `it has ${twice} twice`;
  const members = processes.filter(({ kind }) => kind === 'member');
  if (members.length === 0) return 'it has no members';
  const late = members.find(({ id }) => Number(id.slice(1)) >= next);
  return late === undefined ? undefined : `${late.id} is there, and ${next} is to be the number of the next member`;
}

export async function writeGroupRecord(directory: string, { mode, service, clusterId, fence, next, founders, processes }: GroupRecord): Promise<void> {
  await replaceFile(join(directory, GROUP_FILE), `${JSON.stringify({ mode, service, clusterId, fence, next, founders, processes }, undefined, 2)}\n`);
}

/** Makes an empty disk for a member, also of one that nothing was written to. Throws Error when somebody's memory is there. */
export async function makeDisk(directory: string, label: Omit<DiskLabel, 'hasBegun'>): Promise<void> {
  await makeDirectory(directory);
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
  if (saved === undefined) throw new Error(`${path} is not there: the disk of ${id} is gone, and with it what ${id} had promised; ${remedyFor(id)}`);
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
  return typeof id === 'string' && PROCESS_ID.test(id) && typeof address === 'string' && parseAddress(address) !== undefined;
}

function isIdentity(value: unknown): value is Identity<RecordedKind> {
  if (typeof value !== 'object' || value === null) return false;
  const { id, kind, port, isFounder } = value as Record<string, unknown>;
  return typeof id === 'string' && PROCESS_ID.test(id) && RECORDED_KINDS.includes(kind as RecordedKind) && isWhole(port, 65535) && typeof isFounder === 'boolean';
}

function isWhole(value: unknown, max: number): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max;
}
