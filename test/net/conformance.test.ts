import { connect as netConnect, createServer as createNetServer } from 'node:net';
import { connect } from '../../src/net/socket.ts';
import { createServer } from '../../src/net/server.ts';
import { QUICK } from './loopback.ts';
import { describeSockets, type StreamServer, type StreamSocket } from './socket.case.ts';

/** One suite, two implementations: what passes here is what "shaped like node:net" means. */
describeSockets({
  name: 'node:net',
  connect: (options, onConnect) => netConnect(options, onConnect) as StreamSocket,
  createServer: (options, onConnection) => createNetServer(options, onConnection) as StreamServer,
});

describeSockets({
  name: 'failmask',
  connect: (options, onConnect) => connect({ ...QUICK, ...options }, onConnect) as unknown as StreamSocket,
  createServer: (options, onConnection) => createServer({ ...QUICK, ...options }, onConnection as () => void) as unknown as StreamServer,
});
