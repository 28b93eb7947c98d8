import { readFileSync } from 'node:fs';

import { parseHistory } from '../../group/history.ts';
import { explainViolation } from '../../sim/explain-violation.ts';
import { checkLinearizability } from '../../sim/linearizability.ts';
import { CommandError, Exit } from '../exit.ts';
import { Reporter } from '../output.ts';
import type { CheckArgs } from './check.ts';

/** Throws CommandError when the history is not linearizable, or cannot be judged. */
export function runCheck(args: CheckArgs): void {
  const reporter = new Reporter(args);
  const events = parseHistory(readFileSync(args.file === '-' ? 0 : args.file, 'utf8'));
  const verdict = checkLinearizability(events);
  reporter.json({ type: 'verdict', operations: events.length, ...verdict });
  if (verdict.kind === 'linearizable') {
    reporter.result(`linearizable: ${verdict.operations} operations on ${verdict.keys} keys, ${verdict.visited} places searched`);
    return;
  }
  if (verdict.kind !== 'violation') throw new CommandError(`not judged: ${verdict.reason}`, verdict.kind === 'invalid' ? Exit.runtimeError : Exit.expectationNotMet);
  reporter.result(explainViolation(verdict).trimEnd());
  throw new CommandError('not linearizable', Exit.expectationNotMet);
}
