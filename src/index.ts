/** failmask as a library: a TCP over UDP, shaped like node:net, and the network that hurts it. Exports only. */
export { connect, Socket, type ConnectOptions, type SocketAddress, type SocketOptions } from './net/socket.ts';
export { createServer, Server, type ListenOptions, type ServerOptions } from './net/server.ts';
export type { Tap } from './net/driver.ts';
export { startProxy, type Proxy, type ProxyOptions } from './net/proxy.ts';
export { defaultProfile, formatProfile, parseProfile, type LinkProfile } from './link/profile.ts';
export { DEFAULT_CONFIG, type Integrity, type KeepAlive, type TcpConfig } from './tcp/config.ts';
export { CONTROLLER_NAMES } from './tcp/congestion/controller.ts';
export type { ConnectionInfo } from './tcp/connection.ts';
export type { ConnectionCounters } from './tcp/counters.ts';
export { ConnectionError, type ErrorCode, type ErrorDetails, type TimeoutCause } from './tcp/errors.ts';
export type { Sink, TraceEvent } from './core/trace.ts';
