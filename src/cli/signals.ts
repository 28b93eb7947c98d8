import { Exit } from './exit.ts';

const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * The first Ctrl-C (or SIGTERM, SIGHUP) asks `end` to finish in order; a second one ends the process at once, with a
 * RST for every connection. Returns a function that takes the handlers away again.
 */
export function onInterrupt(end: (signal: NodeJS.Signals) => void): () => void {
  let asked = false;
  const handler = (signal: NodeJS.Signals): void => {
    if (asked) process.exit(Exit.interrupted);
    asked = true;
    end(signal);
  };
  for (const signal of SIGNALS) process.on(signal, handler);
  return () => {
    for (const signal of SIGNALS) process.off(signal, handler);
  };
}
