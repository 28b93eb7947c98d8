import type { Peer, ReplicaStatus, Role } from '../replica.ts';

const ROLES: ReadonlySet<string> = new Set<Role>([
  'member', 'learner', 'follower', 'pre-candidate', 'candidate', 'leader', 'primary', 'backup', 'outside', 'failed',
]);
const MAX_JSON_LENGTH = 64 * 1024;
const MAX_TEXT_LENGTH = 128;
const MAX_PROBLEM_LENGTH = 1024;
const MAX_MEMBERS = 64;
const MAX_COUNTERS = 128;

/** What a member says of itself, checked: a member of another version, or a broken one, may say anything. Undefined when it makes no sense. */
export function parseReplicaStatus(json: string): ReplicaStatus | undefined {
  if (json.length > MAX_JSON_LENGTH) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return undefined;
  }
  if (!isRecord(value)) return undefined;
  const { id, mode, role, leader, term, lastIndex, commitIndex, appliedIndex, digest, problem } = value;
  const members = parseList(value['members'], MAX_MEMBERS, parseMember);
  const suspected = parseList(value['suspected'], MAX_MEMBERS, (item) => (isText(item) ? item : undefined));
  const counters = parseCounters(value['counters']);
  if (!isText(id) || !isText(mode) || !isRole(role) || !isText(digest) || members === undefined || suspected === undefined || counters === undefined) return undefined;
  if (!isCount(term) || !isCount(lastIndex) || !isCount(commitIndex) || !isCount(appliedIndex)) return undefined;
  if (!isAbsent(leader) && !isText(leader)) return undefined;
  if (!isAbsent(problem) && !isText(problem, MAX_PROBLEM_LENGTH)) return undefined;
  return {
    id, mode, role, term, leader: leader ?? undefined, lastIndex, commitIndex, appliedIndex, digest, members, suspected, counters,
    problem: problem ?? undefined,
  };
}

function parseMember(item: unknown): (Peer & { isVoter: boolean }) | undefined {
  if (!isRecord(item)) return undefined;
  const { id, address, isVoter } = item;
  return isText(id) && isText(address) && typeof isVoter === 'boolean' ? { id, address, isVoter } : undefined;
}

function parseCounters(value: unknown): Record<string, number> | undefined {
  if (!isRecord(value)) return undefined;
  const entries = Object.entries(value);
  const isFine = entries.length <= MAX_COUNTERS && entries.every(([name, count]) => isText(name) && typeof count === 'number' && Number.isFinite(count));
  return isFine ? Object.fromEntries(entries as [string, number][]) : undefined;
}

function parseList<T>(value: unknown, max: number, parse: (item: unknown) => T | undefined): T[] | undefined {
  if (!Array.isArray(value) || value.length > max) return undefined;
  const parsed = value.map(parse);
  return parsed.every((item) => item !== undefined) ? parsed : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isAbsent(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}

function isText(value: unknown, maxLength = MAX_TEXT_LENGTH): value is string {
  return typeof value === 'string' && value.length <= maxLength;
}

function isRole(value: unknown): value is Role {
  return typeof value === 'string' && ROLES.has(value);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
