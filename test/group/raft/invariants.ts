import type { TraceEvent } from '../../../src/core/trace.ts';

/** What the Raft paper promises of every run (figure 3), told from what members said of themselves. Throws Error. */
export function checkTrace(events: readonly TraceEvent[]): void {
  const leaders = new Map<number, string>();
  const applied = new Map<number, string>();
  const votes = new Map<string, string>();
  for (const { type, member, term, role, index, digest, candidate } of events) {
    if (type === 'become' && role === 'leader') {
      const other = leaders.get(term as number);
      if (other !== undefined && other !== member) throw new Error(`election safety: ${other} and ${String(member)} lead in term ${String(term)}`);
      leaders.set(term as number, member as string);
    } else if (type === 'vote') {
      const key = `${String(member)} ${String(term)}`;
      const other = votes.get(key);
      if (other !== undefined && other !== candidate) throw new Error(`${String(member)} votes for ${other} and ${String(candidate)} in term ${String(term)}`);
      votes.set(key, candidate as string);
    } else if (type === 'apply') {
      const fact = `${String(term)} ${String(digest)}`;
      const other = applied.get(index as number);
      if (other !== undefined && other !== fact) throw new Error(`state machine safety: place ${String(index)} is "${other}" and, at ${String(member)}, "${fact}"`);
      applied.set(index as number, fact);
    }
  }
}
