/**
 * Runs the generic seed suite of the tree it stands in, for other processes: `run-seeds FROM TO [hashes]`. Prints JSON:
 * the trace hashes, or the first seed with a violation (null when there is none).
 */
import { drawScenario } from '../../src/sim/draw.ts';
import { runScenario } from '../../src/sim/world.ts';

const [from, to, mode] = process.argv.slice(2);
const hashes: string[] = [];
let found: unknown = null;
for (let seed = Number(from); seed < Number(to) && found === null; seed++) {
  const { traceHash, violations } = runScenario(drawScenario(seed));
  if (mode === 'hashes') hashes.push(traceHash);
  else if (violations.length > 0) found = { seed, ...violations[0] };
}
console.log(JSON.stringify(mode === 'hashes' ? hashes : found));
