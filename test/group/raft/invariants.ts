import type { TraceEvent } from '../../../src/core/trace.ts';

/** What a member's log holds, as it said; entries up to the base are in a snapshot. */
interface Log {
  base: number;
  baseTerm: number;
  /** The term of the entry of index i is at i − base − 1. */
  terms: number[];
}

/** What the Raft paper promises of every run (figure 3), told from what members said of themselves. Throws Error. */
export function checkTrace(events: readonly TraceEvent[]): void {
  const leaders = new Map<number, string>();
  const votes = new Map<string, string>();
  const applied = new Map<number, { readonly digest: string; readonly term: number; readonly ledIn: number }>();
  /** Terms by members that lead. */
  const leads = new Map<string, number>();
  const logs = new Map<string, Log>();
  /** By index and term of an entry: the term of the one before. */
  const before = new Map<string, number>();
  for (const event of events) {
    const member = event['member'] as string;
    const index = event['index'] as number;
    const term = event['term'] as number;
    switch (event.type) {
      case 'restart':
        leads.delete(member);
        logs.set(member, { base: event['base'] as number, baseTerm: event['baseTerm'] as number, terms: (event['terms'] as string).split(' ').filter((text) => text !== '').map(Number) });
        break;
      case 'become':
        leads.delete(member);
        if (event['role'] !== 'leader') break;
        leads.set(member, term);
        if ((leaders.get(term) ?? member) !== member) throw new Error(`election safety: ${leaders.get(term)!} and ${member} lead in term ${term}`);
        leaders.set(term, member);
        for (const [at, entry] of applied) {
          if (entry.ledIn >= term || at <= logs.get(member)!.base || termAt(logs.get(member)!, at) === entry.term) continue;
          throw new Error(`leader completeness: ${member} leads in term ${term} without entry ${at}, committed in term ${entry.ledIn}`);
        }
        break;
      case 'vote': {
        const key = `${member} ${term}`;
        if ((votes.get(key) ?? event['candidate']) !== event['candidate']) throw new Error(`${key}: a second vote, for ${String(event['candidate'])}`);
        votes.set(key, event['candidate'] as string);
        break;
      }
      case 'append': {
        const log = logs.get(member)!;
        if (leads.has(member) && index !== log.base + log.terms.length + 1) throw new Error(`leader append-only: ${member} writes entry ${index} again`);
        log.terms.length = index - log.base - 1;
        log.terms.push(term);
        const previous = termAt(log, index - 1);
        const key = `${index} ${term}`;
        if (previous === undefined) break;
        if ((before.get(key) ?? previous) !== previous) throw new Error(`log matching: before entry ${index} of term ${term} there is term ${previous} at ${member}, and ${before.get(key)!}`);
        before.set(key, previous);
        break;
      }
      case 'snapshot': {
        const log = logs.get(member)!;
        const at = applied.get(index)!.term;
        if (termAt(log, index) === at) log.terms.splice(0, index - log.base);
        else log.terms = [];
        log.base = index;
        log.baseTerm = at;
        break;
      }
      case 'apply': {
        const digest = event['digest'] as string;
        const other = applied.get(index);
        if (other === undefined) applied.set(index, { digest, term, ledIn: leads.get(member) ?? Infinity });
        else if (other.digest !== digest || other.term !== term) throw new Error(`state machine safety: place ${index} is ${other.digest} of term ${other.term} and, at ${member}, ${digest} of term ${term}`);
        break;
      }
    }
  }
}

function termAt({ base, baseTerm, terms }: Log, index: number): number | undefined {
  return index === base ? baseTerm : terms[index - base - 1];
}
