/** What seeds of replicated groups are meant to come across, and what counts as having come across it. */
export const GROUP_COVERAGE = {
  'operation': 'operations with an answer',
  'unknown outcome': 'operations without one',
  'not executed': 'operations that surely were not executed',
  'failed cas': 'compare-and-sets that found another value',
  'retry': 'requests sent again under their serial',
  'expired session': 'requests of a session that had expired',
  'election': 'members that became leader or primary',
  'candidacy': 'members that became candidate',
  'leader crash': 'leaders or primaries that crashed',
  'crash': 'processes killed',
  'power failure': 'computers that lost what was not synced',
  'torn tail': 'power failures in the middle of a write',
  'all down': 'moments at which every member was down',
  'restart': 'members that came back with their disk',
  'lost disk': 'members that came back without it',
  'damaged disk': 'bits turned over on disk',
  'disk refused': 'members that refused their damaged disk',
  'pause': 'members paused',
  'leader pause': 'leaders or primaries paused',
  'partition': 'groups cut in two',
  'one-way partition': 'members cut off in one direction',
  'partial partition': 'pairs of members cut off from each other',
  'connection reset': 'connections that died between living members',
  'false suspicion': 'living members given up by their leader or view',
  'ambush': 'members struck at a moment of the protocol',
  'trance': 'members that slept while they were cut off from the others, but not from clients',
  'slow disk': 'disks slowed down',
  'disk failure': 'members whose disk failed under them',
  'lost message': 'messages lost',
  'doubled message': 'messages doubled',
  'overtaken message': 'messages overtaken',
  'late message': 'messages that were kept by a partition and came after it',
  'snapshot': 'snapshots taken',
  'snapshot transfer': 'members that were sent a snapshot',
  'member added': 'members taken in',
  'member removed': 'members let go',
  'fail-over': 'changes of whoever leads',
  'view change': 'views after the first',
  'recovery': 'members that read their memory from the others',
  'history judged': 'keys whose history was checked',
  'history not judged': 'worlds whose history says nothing: no answer, or the search was given up',
} as const;

export type GroupCoverageName = keyof typeof GROUP_COVERAGE;

export const GROUP_COVERAGE_NAMES = Object.keys(GROUP_COVERAGE) as readonly GroupCoverageName[];

/** Counts by name. */
export class GroupCoverage {
  readonly counts = Object.fromEntries(GROUP_COVERAGE_NAMES.map((name) => [name, 0])) as Record<GroupCoverageName, number>;

  add(name: GroupCoverageName, count = 1): void {
    this.counts[name] += count;
  }

  addAll(other: Readonly<Record<GroupCoverageName, number>>): void {
    for (const name of GROUP_COVERAGE_NAMES) this.counts[name] += other[name];
  }
}
