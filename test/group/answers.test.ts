import { describe, expect, it } from 'vitest';

import { createRandom } from '../../src/core/random.ts';
import { openStorage } from '../../src/group/disk-storage.ts';
import { PerfectDetector } from '../../src/group/detector.ts';
import type { Request } from '../../src/group/message.ts';
import { RaftReplica } from '../../src/group/raft/raft-replica.ts';
import type { Ready, Replica } from '../../src/group/replica.ts';
import { Service } from '../../src/group/service.ts';
import { ViewReplica } from '../../src/group/view/view-replica.ts';
import { ListMachine } from './list-machine.ts';

const self = { id: 'm0', address: 'm0:1' };
const common = { self, bootstrap: [self], random: createRandom(1), now: 0 };

const ENGINES: Readonly<Record<string, () => Replica>> = {
  raft: () => new RaftReplica({ ...common, service: new Service(new ListMachine()), storage: openStorage(() => undefined) }),
  views: () => new ViewReplica({ ...common, mode: 'sequencer', fence: 'none', viewServers: [], service: new Service(new ListMachine()), storage: openStorage(() => undefined), detector: new PerfectDetector(() => false) }),
};

function session(clientId: string): Request {
  return { kind: 'request', clientId, serial: 0, acknowledged: 0, isStale: false, operation: new Uint8Array(0) };
}

/** Until there is nothing more to do: everything is written at once. */
function drain(replica: Replica): Ready[] {
  const readies: Ready[] = [];
  for (let ready = replica.takeReady(); ready !== undefined; ready = replica.takeReady()) readies.push(ready);
  return readies;
}

describe.each(Object.entries(ENGINES))('an answer (%s)', (_, create) => {
  it('waits until its operation is on disk, and not for what is written after that', () => {
    const replica = create();
    for (let now = 0; now < 5000; now += 50) {
      replica.handleTimeout(now);
      drain(replica);
    }
    replica.propose(session('a'), 5000);
    const writing = replica.takeReady()!;
    expect(writing.persist.length).toBeGreaterThan(0);
    expect(writing.replies).toEqual([]);
    // While it is being written, the next one comes.
    replica.propose(session('b'), 5001);
    const [first, second] = drain(replica);
    expect(first!.replies.map(({ clientId }) => clientId)).toEqual(['a']);
    expect(first!.persist).toEqual([]);
    expect(second!.persist.length).toBeGreaterThan(0);
    expect(second!.replies).toEqual([]);
  });
});
