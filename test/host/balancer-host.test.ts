import { expect, test } from 'vitest';

import { makeAddress } from '../../src/core/address.ts';
import { createRandom } from '../../src/core/random.ts';
import { Balancer } from '../../src/group/balancer/balancer.ts';
import { MemberNode } from '../../src/group/member-node.ts';
import { BalancerHost } from '../../src/host/balancer-host.ts';
import { MemberHost } from '../../src/host/member-host.ts';
import { parseProfile } from '../../src/link/profile.ts';
import { Mesh } from '../../src/sim/mesh.ts';
import { Simulator } from '../../src/sim/simulator.ts';
import { Endpoint } from '../../src/tcp/endpoint.ts';
import { ScriptedReplica } from '../group/scripted-replica.ts';

test('a balancer of another cluster says why its members are down', () => {
  const simulator = new Simulator();
  const mesh = new Mesh(simulator, createRandom(1), parseProfile('delay 5ms'));
  const address = makeAddress('10.0.0.1', 1);
  const replica = new ScriptedReplica('m1');
  const node = new MemberNode({ replica, clusterId: 'blue', memberId: 'm1' });
  mesh.add('m1', address).start(new MemberHost({ endpoint: new Endpoint({ secret: new Uint8Array(32), name: 'm1' }), node, replica }));
  const host = new BalancerHost({
    endpoint: new Endpoint({ secret: new Uint8Array(32).fill(1), name: 'b1' }), balancer: new Balancer({ name: 'b1', mode: 'raft' }), clusterId: 'green', id: 'b1', resolve: () => address,
  });
  host.addMember({ id: 'm1', address: '10.0.0.1:1' }, 0);
  mesh.add('b1', makeAddress('10.0.0.2', 1)).start(host);
  mesh.run(3000);
  expect(host.balancer.report(3000).members).toMatchObject([{ name: 'm1', state: 'down', isConnected: false, problem: 'cluster "green" instead of "blue"' }]);
});
