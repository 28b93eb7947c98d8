import { expect, test } from 'vitest';

import { makeAddress } from '../../src/core/address.ts';
import { createRandom } from '../../src/core/random.ts';
import { createClient } from '../../src/group/assemble.ts';
import type { OperationOutcome } from '../../src/group/client.ts';
import { encodeKvOperation } from '../../src/group/kv/kv-operation.ts';
import { Balancer } from '../../src/group/balancer/balancer.ts';
import { MemberNode } from '../../src/group/member-node.ts';
import type { Request } from '../../src/group/message.ts';
import { encodeQuorumAnswer } from '../../src/group/quorum/quorum-operation.ts';
import type { Reply } from '../../src/group/state-machine.ts';
import { BalancerHost } from '../../src/host/balancer-host.ts';
import { ClientHost } from '../../src/host/client-host.ts';
import { MemberHost } from '../../src/host/member-host.ts';
import { parseProfile } from '../../src/link/profile.ts';
import { Mesh } from '../../src/sim/mesh.ts';
import { Simulator } from '../../src/sim/simulator.ts';
import { Endpoint } from '../../src/tcp/endpoint.ts';
import { ScriptedReplica } from '../group/scripted-replica.ts';

const NAMES = ['m1', 'm2', 'm3'];
const NOTHING = new Uint8Array(0);

/** Answers each request in the name of every member of a group of three. */
class Forger extends ScriptedReplica {
  readonly #answer: (seat: number) => Reply;

  constructor(answer: (seat: number) => Reply) {
    super('m1');
    this.#answer = answer;
  }

  override propose({ clientId, serial }: Request): void {
    NAMES.forEach((memberId, seat) => this.replies.push({ kind: 'reply', memberId, clientId, serial, reply: this.#answer(seat) }));
  }
}

const FORGED: Record<'active' | 'quorum', (seat: number) => Reply> = {
  active: () => ({ status: 'ok', offset: 0, digest: NOTHING, body: new TextEncoder().encode('a lie') }),
  quorum: (seat) => ({ status: 'ok', offset: 0, digest: NOTHING, body: encodeQuorumAnswer(seat, [1, 1, 1], { counter: 7, clientId: 'x', number: 1 }, new TextEncoder().encode('a lie')) }),
};

function newEndpoint(name: string): Endpoint {
  return new Endpoint({ secret: new Uint8Array(32).fill(name.charCodeAt(0)), name });
}

/** What a client of three members reads that reaches only one place: a forger, or a balancer in front of nobody. */
function askOne(mode: 'active' | 'quorum', mayBeBalancers: boolean, place: 'member' | 'balancer' = 'member'): { outcome: OperationOutcome | undefined; client: ClientHost } {
  const simulator = new Simulator();
  const mesh = new Mesh(simulator, createRandom(1), parseProfile('delay 5ms'));
  const address = makeAddress('10.0.0.1', 1);
  const replica = new Forger(FORGED[mode]);
  mesh.add('m1', address).start(place === 'member'
    ? new MemberHost({ endpoint: newEndpoint('m1'), node: new MemberNode({ replica, clusterId: 'c', memberId: 'm1' }), replica })
    : new BalancerHost({ endpoint: newEndpoint('b1'), balancer: new Balancer({ name: 'b1', mode: 'active' }), clusterId: 'c', id: 'b1', resolve: () => undefined }));
  const client = new ClientHost({
    endpoint: newEndpoint('client'), clusterId: 'c', clientId: 'me', targets: [address], mayBeBalancers,
    client: createClient({ mode, members: 3, clientId: 'me', targets: ['10.0.0.1:1'], random: createRandom(1), isReadOnly: () => true, operationTimeoutMs: 2000 }),
  });
  mesh.add('client', makeAddress('10.0.0.9', 1)).start(client);
  client.client.submit(encodeKvOperation({ kind: 'get', key: 'k' }), 0);
  mesh.run(5000);
  return { outcome: client.client.takeOutcome(), client };
}

test.each(['active', 'quorum'] as const)('in mode %s, a member that answers in the name of all others has one vote', (mode) => {
  for (const mayBeBalancers of [true, false]) {
    const { outcome, client } = askOne(mode, mayBeBalancers);
    expect(outcome).toMatchObject({ kind: 'failed' });
    expect(client.strayReplies).toBeGreaterThanOrEqual(2);
  }
});

test('who is known to be a member is not believed that it passes on what others say', () => {
  expect(askOne('active', true, 'balancer').client.rejection).toBeUndefined();
  expect(askOne('active', false, 'balancer').client.rejection).toBe('10.0.0.1:1: says that it is a balancer, and is a member');
});
