import { createRandom, type Random } from '../../core/random.ts';
import { makeFaulty, parseFault } from '../../group/faulty.ts';
import type { Replica } from '../../group/replica.ts';
import { sessionClientId } from '../../group/sessions.ts';
import { KV_WORDS } from '../../sim/group/kv-words.ts';
import { textTable } from '../../report/table.ts';
import type { Words } from './english.ts';
import type { Exhibit } from './exhibit.ts';
import { worse, type CellVerdict } from './threshold-run.ts';
import { UnorderedReplica } from './unordered-replica.ts';

/**
 * Redundancy of time: the service itself fails, and the client asks again. One key-value store that is not replicated, behind the fault
 * `drops-requests` (asked, and not done) or `drops-replies` (done, and not answered): whoever hears nothing cannot know which.
 */

/** Once and never again; in so many of all tries; for good. In the words of `group up --faulty`. */
const SERVICE_FAULTS = { transient: '', intermittent: ':20%', permanent: '' } as const;
export type ServiceFault = keyof typeof SERVICE_FAULTS;
const TRIES = [1, 2, 3, 10] as const;
/** Of one run. */
const APPENDS = 8;
const RUNS = 100;

export interface RetryShares {
  /** Of all runs, in [0, 1]. */
  readonly masked: number;
  readonly wrong: number;
}

/** One client, eight appends, each asked up to `tries` times until there is an answer, under one request id or under a new one each time. */
export function runRetries(fault: ServiceFault, tries: number, hasIds: boolean, random: Random): CellVerdict {
  const service: Replica = new UnorderedReplica('m0');
  const kind = random.chance(0.5) ? 'drops-requests' : 'drops-replies';
  const failing = makeFaulty(service, parseFault(`${kind}${SERVICE_FAULTS[fault]}`), 0, random);
  const clientId = sessionClientId(ask(service, 'any', 0, new Uint8Array(0))!.offset);
  let serial = 0;
  const failsAt = random.below(APPENDS);
  let verdict: CellVerdict = 'M';
  for (let i = 0; i < APPENDS; i++) {
    const operation = { op: 'append', key: 'x', value: `${i}` } as const;
    let reply: ReturnType<typeof ask>;
    serial++;
    for (let attempt = 0; attempt < tries && reply === undefined; attempt++) {
      if (attempt > 0 && !hasIds) serial++;
      const isFailing = fault !== 'transient' || (i === failsAt && attempt === 0);
      reply = ask(isFailing ? failing : service, clientId, serial, KV_WORDS.write(operation));
    }
    // It gives up, and says so.
    if (reply === undefined) return worse(verdict, 'D');
    // The length that it is told: more, if something was done twice.
    if (KV_WORDS.result(operation, reply) !== i + 1) verdict = 'W';
  }
  return verdict;
}

/** Its answer, or undefined. */
function ask(service: Replica, clientId: string, serial: number, operation: Uint8Array) {
  service.propose({ kind: 'request', clientId, serial, acknowledged: Math.max(0, serial - 1), isStale: false, operation }, 0);
  return service.takeReady()?.replies[0]?.reply;
}

export function retryShares(fault: ServiceFault, tries: number, hasIds: boolean, seed: number): RetryShares {
  const random = createRandom(seed).fork(`retries ${fault}`);
  const verdicts = Array.from({ length: RUNS }, () => runRetries(fault, tries, hasIds, random));
  const share = (wanted: CellVerdict): number => verdicts.filter((verdict) => verdict === wanted).length / RUNS;
  return { masked: share('M'), wrong: share('W') };
}

export function retries(seed: number, words: Words): Exhibit {
  const { title, legend, header, faults, end } = words.retries;
  const table = (Object.keys(SERVICE_FAULTS) as ServiceFault[]).flatMap((fault) => [true, false].map((hasIds) => ({
    fault, hasIds, shares: TRIES.map((tries) => retryShares(fault, tries, hasIds, seed)),
  })));
  const percent = (share: number): string => `${Math.round(share * 100)} %`;
  const rows = table.map(({ fault, hasIds, shares }) => [
    faults[fault], words.yesNo(hasIds), ...shares.map(({ masked, wrong }) => (wrong === 0 ? `M ${percent(masked)}` : `M ${percent(masked)}, W ${percent(wrong)}`)),
  ]);
  const isShown = table.every(({ fault, hasIds, shares }) => {
    const [once, twice] = shares;
    const most = shares.at(-1)!;
    if (fault === 'permanent') return shares.every(({ masked, wrong }) => masked === 0 && wrong === 0);
    if (hasIds) return shares.every(({ wrong }) => wrong === 0) && once!.masked < most.masked && most.masked === 1 && (fault === 'intermittent' || twice!.masked === 1);
    return once!.wrong === 0 && most.wrong > 0;
  });
  return { title, text: `${legend(APPENDS, RUNS)}\n${textTable([...header, ...TRIES.map((tries) => `${tries}×`)], rows)}${end}\n`, isShown };
}
