import { connect as netConnect, createServer as createNetServer } from 'node:net';
import { connect } from '../../src/net/socket.ts';
import { createServer } from '../../src/net/server.ts';
import { QUICK } from './loopback.ts';
import { describeServers } from './server.case.ts';
import type { SocketApi, StreamServer, StreamSocket } from './socket-api.ts';
import { describeSockets } from './socket.case.ts';

/** One suite, two implementations: what passes here is what "shaped like node:net" means. */
const nodeNet: SocketApi = {
  name: 'node:net',
  connect: (options, onConnect) => netConnect(options, onConnect) as StreamSocket,
  createServer: (options, onConnection) => createNetServer(options, onConnection) as StreamServer,
};

const failmask: SocketApi = {
  name: 'failmask',
  connect: (options, onConnect) => connect({ ...QUICK, ...options }, onConnect) as unknown as StreamSocket,
  createServer: (options, onConnection) => createServer({ ...QUICK, ...options }, onConnection as () => void) as unknown as StreamServer,
};

for (const api of [nodeNet, failmask]) {
  describeSockets(api);
  describeServers(api);
}
