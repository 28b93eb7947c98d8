/**
 * Runs group seeds of the tree it stands in, for other processes: `run-group-seeds MODE FROM TO [hashes]`. Prints JSON: the trace hashes, or
 * the first seed with a violation (null when there is none).
 */
import type { Mode } from '../../../src/group/modes.ts';
import { runGroupSeed } from '../../../src/sim/group-run.ts';

const [mode, from, to, what] = process.argv.slice(2);
const hashes: string[] = [];
let found: unknown = null;
for (let seed = Number(from); seed < Number(to) && found === null; seed++) {
  const { traceHash, violations } = runGroupSeed(mode as Mode, seed, { keepLines: 0 });
  if (what === 'hashes') hashes.push(traceHash);
  else if (violations.length > 0) found = { seed, ...violations[0] };
}
console.log(JSON.stringify(what === 'hashes' ? hashes : found));
