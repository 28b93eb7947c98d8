import { parseAddress } from '../src/core/address.ts';
import type { HistoryEvent } from '../src/group/history.ts';
import type { GroupPlace } from '../src/net/group-client.ts';
import { KvClient } from '../src/net/kv-client.ts';
import type { BenchGroup } from './group.ts';

/** How a client in this process reaches the group, through its balancers. */
export function clientOptions({ mode, size, balancers }: BenchGroup): GroupPlace {
  return { mode, clusterId: 'failmask', members: size, targets: balancers.map((address) => parseAddress(address)!), mayBeBalancers: true };
}

/** Reads every key of a history when all work is over: what was acknowledged must be there. `now`: ns on the history's clock. */
export async function readBack(group: BenchGroup, history: readonly HistoryEvent[], now: () => number): Promise<HistoryEvent[]> {
  const client = await KvClient.open(clientOptions(group));
  const number = history.reduce((most, event) => Math.max(most, event.process), 0) + 1;
  const reads: HistoryEvent[] = [];
  for (const key of new Set(history.map((event) => event.key))) {
    const invoke = now();
    const result = await client.execute({ kind: 'get', key });
    reads.push({ process: number, op: 'get', key, value: null, old: null, result: result.kind === 'value' ? new TextDecoder().decode(result.value) : null, invoke, complete: now(), ok: true });
  }
  client.close();
  return reads;
}
