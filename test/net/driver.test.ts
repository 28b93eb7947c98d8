import { EventEmitter } from 'node:events';
import type { RemoteInfo, Socket as DatagramSocket } from 'node:dgram';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { makeAddress, type Address } from '../../src/core/address.ts';
import type { Millis, Transmit } from '../../src/core/machine.ts';
import { Driver, type DriverOptions } from '../../src/net/driver.ts';
import type { Connection } from '../../src/tcp/connection.ts';
import type { Endpoint } from '../../src/tcp/endpoint.ts';

const PEER = makeAddress('127.0.0.1', 7);

/** An endpoint that does as it is told and writes down what it is asked. */
class FakeEndpoint {
  deadline: Millis = Infinity;
  connectionCount = 1;
  readonly outbox: Transmit[] = [];
  readonly timeouts: Millis[] = [];
  readonly received: string[] = [];
  readonly hints: string[] = [];
  readonly eventful: Connection[] = [];
  aborted = 0;

  receive(_from: Address, datagram: Uint8Array): void {
    this.received.push(String(datagram));
  }

  poll(): Transmit | undefined {
    return this.outbox.shift();
  }

  nextTimeout(): Millis {
    return this.deadline;
  }

  handleTimeout(now: Millis): void {
    this.timeouts.push(now);
    if (now >= this.deadline) this.deadline = Infinity;
  }

  nextEventful(): Connection | undefined {
    return this.eventful.shift();
  }

  icmp(_remote: Address, code: string): void {
    this.hints.push(code);
  }

  abortAll(): void {
    this.aborted++;
    this.say('reset');
  }

  say(...texts: string[]): void {
    for (const text of texts) this.outbox.push({ to: PEER, bytes: Buffer.from(text) });
  }
}

class FakeSocket extends EventEmitter {
  readonly sent: { text: string; to: string | undefined; done: (error: Error | null) => void }[] = [];
  queued = 0;
  isOpen = true;
  isRef = true;

  send(bytes: Uint8Array, ...rest: unknown[]): void {
    const done = rest.at(-1) as (error: Error | null) => void;
    this.sent.push({ text: String(bytes), to: rest.length > 1 ? `${String(rest[1])}:${String(rest[0])}` : undefined, done });
  }

  getSendQueueCount(): number {
    return this.queued;
  }

  close(): void {
    this.isOpen = false;
  }

  ref(): void {
    this.isRef = true;
  }

  unref(): void {
    this.isRef = false;
  }

  get texts(): string[] {
    return this.sent.map(({ text }) => text);
  }

  arrive(text: string): void {
    this.emit('message', Buffer.from(text), { address: PEER.host, port: PEER.port } as RemoteInfo);
  }
}

let now = 0;
const drivers: Driver[] = [];

function makeDriver(options: Partial<DriverOptions> = {}): { driver: Driver; endpoint: FakeEndpoint; socket: FakeSocket } {
  const endpoint = new FakeEndpoint();
  const socket = new FakeSocket();
  const driver = new Driver({
    socket: socket as unknown as DatagramSocket, endpoint: endpoint as unknown as Endpoint,
    remote: PEER, isRef: false, tap: undefined, onEvents: () => {}, onAcceptable: () => {}, onIdle: () => {}, ...options,
  });
  drivers.push(driver);
  return { driver, endpoint, socket };
}

const immediates: (() => void)[] = [];

/** One turn of the event loop: what setImmediate has waiting now, not what that adds. */
function turn(): void {
  for (const immediate of immediates.splice(0)) immediate();
}

/** Time passes; timers that are due fire, and the turn after them runs. */
function pass(ms: number): void {
  now += ms;
  vi.advanceTimersByTime(ms);
  turn();
}

beforeEach(() => {
  now = 1000;
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  vi.stubGlobal('setImmediate', (immediate: () => void) => immediates.push(immediate));
  vi.spyOn(performance, 'now').mockImplementation(() => now);
});

afterEach(() => {
  for (const driver of drivers.splice(0)) driver.close();
  immediates.length = 0;
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe('the timer', () => {
  it('fires at the deadline', () => {
    const { driver, endpoint } = makeDriver();
    endpoint.deadline = 1050;
    driver.wake();
    turn();
    pass(49);
    expect(endpoint.timeouts).toEqual([]);
    pass(1);
    expect(endpoint.timeouts).toEqual([1050]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('that fires a little early is set again', () => {
    const { driver, endpoint } = makeDriver();
    endpoint.deadline = 1050;
    driver.wake();
    turn();
    // Node counts whole milliseconds from the start of the turn: its timer may be ahead of the clock.
    now = 1049.6;
    vi.advanceTimersByTime(50);
    turn();
    expect(endpoint.timeouts).toEqual([]);
    expect(vi.getTimerCount()).toBe(1);
    now = 1050.6;
    vi.advanceTimersByTime(1);
    turn();
    expect(endpoint.timeouts).toEqual([1050.6]);
  });

  it('is brought forward, and not set again for a later deadline', () => {
    const { driver, endpoint } = makeDriver();
    const armed = vi.spyOn(globalThis, 'setTimeout');
    endpoint.deadline = 1500;
    driver.wake();
    turn();
    endpoint.deadline = 1900;
    driver.wake();
    turn();
    expect(armed.mock.calls.map(([, ms]) => ms)).toEqual([500]);
    endpoint.deadline = 1100;
    driver.wake();
    turn();
    expect(armed.mock.calls.map(([, ms]) => ms)).toEqual([500, 100]);
    pass(100);
    expect(endpoint.timeouts).toEqual([1100]);
  });

  it('takes deadlines beyond what setTimeout can count', () => {
    const { driver, endpoint } = makeDriver();
    const armed = vi.spyOn(globalThis, 'setTimeout');
    endpoint.deadline = 1e12;
    driver.wake();
    turn();
    expect(armed.mock.calls.map(([, ms]) => ms)).toEqual([2 ** 31 - 1]);
  });

  it('rests when the endpoint has nothing to wait for', () => {
    const { driver } = makeDriver();
    driver.wake();
    turn();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('after a stop', () => {
  it('a late timeout waits until the socket has run dry', () => {
    const { driver, endpoint, socket } = makeDriver();
    endpoint.deadline = 1050;
    driver.wake();
    turn();
    // SIGSTOP for ten seconds: the timer fires, and in the same turn datagrams are read.
    now = 11_000;
    vi.advanceTimersToNextTimer();
    socket.arrive('one');
    turn();
    expect(endpoint.timeouts).toEqual([]);
    socket.arrive('two');
    turn();
    expect(endpoint.timeouts).toEqual([]);
    turn();
    expect([endpoint.timeouts, endpoint.received]).toEqual([[11_000], ['one', 'two']]);
  });

  it('a stop between a poll and the end of its turn: the next poll has its say first', () => {
    const { driver, endpoint, socket } = makeDriver();
    endpoint.deadline = 1000;
    driver.wake();
    turn();
    // The process is stopped here, and goes on with a turn that was under way: nothing was received in it.
    driver.wake();
    now = 5000;
    turn();
    expect(endpoint.timeouts).toEqual([]);
    socket.arrive('ACK');
    endpoint.deadline = Infinity;
    turn();
    turn();
    expect(endpoint.received).toEqual(['ACK']);
  });

  it('a late timeout that the datagrams disproved never comes', () => {
    const { driver, endpoint, socket } = makeDriver();
    endpoint.deadline = 1050;
    driver.wake();
    turn();
    now = 11_000;
    vi.advanceTimersToNextTimer();
    socket.arrive('ack');
    endpoint.deadline = 12_000;
    turn();
    turn();
    // Deadlines are the endpoint's business: it is asked, and finds that none is due.
    expect(endpoint.deadline).toBe(12_000);
    expect(vi.getTimerCount()).toBe(1);
  });

  it('a flood cannot put timeouts off for ever', () => {
    const { driver, endpoint, socket } = makeDriver();
    endpoint.deadline = 1050;
    driver.wake();
    turn();
    now = 11_000;
    vi.advanceTimersToNextTimer();
    for (let i = 0; i < 2000 && endpoint.timeouts.length === 0; i++) {
      socket.arrive('flood');
      turn();
    }
    expect(endpoint.timeouts).toEqual([11_000]);
  });

  it('a timeout that is on time waits for nobody', () => {
    const { driver, endpoint, socket } = makeDriver();
    endpoint.deadline = 1050;
    driver.wake();
    turn();
    now = 1051;
    socket.arrive('one');
    turn();
    expect(endpoint.timeouts).toEqual([1051]);
  });
});

describe('sending', () => {
  it('happens once a turn, after all that was received', () => {
    const { endpoint, socket } = makeDriver();
    socket.arrive('one');
    socket.arrive('two');
    endpoint.say('answer');
    expect(socket.texts).toEqual([]);
    turn();
    expect(socket.texts).toEqual(['answer']);
  });

  it('names the peer unless the socket is connected', () => {
    const { driver, endpoint, socket } = makeDriver({ remote: undefined });
    endpoint.say('hello');
    driver.wake();
    turn();
    expect(socket.sent[0]!.to).toBe('127.0.0.1:7');
  });

  it('stops when the system puts a datagram off, and goes on when it is gone', () => {
    const { driver, endpoint, socket } = makeDriver();
    endpoint.say('one', 'two', 'three');
    socket.queued = 1;
    driver.wake();
    turn();
    // The bytes of the first must stay as they are: nothing else may be polled into the same buffer.
    expect([socket.texts, endpoint.outbox.length]).toEqual([['one'], 2]);
    pass(100);
    expect(socket.texts).toEqual(['one']);
    socket.queued = 0;
    socket.sent[0]!.done(null);
    turn();
    expect(socket.texts).toEqual(['one', 'two', 'three']);
  });

  it('is done in bursts, so that receiving has its turn', () => {
    const { driver, endpoint, socket } = makeDriver();
    endpoint.say(...Array.from({ length: 2000 }, (_, i) => String(i)));
    driver.wake();
    turn();
    const first = socket.sent.length;
    expect(first).toBeLessThan(1000);
    for (let i = 0; i < 10; i++) turn();
    expect(socket.texts).toEqual(Array.from({ length: 2000 }, (_, i) => String(i)));
  });

  it('counts what the system refuses, and takes it for a hint on a connected socket', () => {
    const { driver, endpoint, socket } = makeDriver();
    endpoint.say('one');
    driver.wake();
    turn();
    socket.sent[0]!.done(Object.assign(new Error('send'), { code: 'ENETUNREACH' }));
    socket.emit('error', Object.assign(new Error('recv'), { code: 'ECONNREFUSED' }));
    expect([driver.sendErrors, endpoint.hints]).toEqual([1, ['ENETUNREACH', 'ECONNREFUSED']]);
  });

  it('an error of an unconnected socket concerns nobody in particular', () => {
    const { driver, endpoint, socket } = makeDriver({ remote: undefined });
    socket.emit('error', Object.assign(new Error('recv'), { code: 'ECONNREFUSED' }));
    expect([driver.sendErrors, endpoint.hints]).toEqual([1, []]);
  });
});

describe('listeners', () => {
  it('one that throws takes nothing from the others', () => {
    const seen: string[] = [];
    const { driver, endpoint } = makeDriver({
      onEvents: (connection) => {
        seen.push(String(connection.owner));
        if (connection.owner === 'bad') throw new Error('bad listener');
      },
    });
    endpoint.eventful.push({ owner: 'bad' } as Connection, { owner: 'good' } as Connection);
    endpoint.deadline = 1050;
    driver.wake();
    expect(turn).toThrow('bad listener');
    turn();
    expect([seen, vi.getTimerCount()]).toEqual([['bad', 'good'], 1]);
  });

  it('what they cause to be sent leaves in the same turn', () => {
    const { driver, endpoint, socket } = makeDriver({ onEvents: () => endpoint.say('answer') });
    endpoint.eventful.push({} as Connection);
    driver.wake();
    turn();
    expect(socket.texts).toEqual(['answer']);
  });
});

describe('its end', () => {
  it('is its own decision when no connection is left', () => {
    const { driver, endpoint, socket } = makeDriver({ onIdle: () => driver.close() });
    endpoint.connectionCount = 0;
    endpoint.deadline = 1050;
    socket.arrive('last');
    turn();
    expect([driver.isClosed, socket.isOpen, vi.getTimerCount()]).toEqual([true, false, 0]);
    socket.arrive('late');
    driver.wake();
    turn();
    expect(endpoint.received).toEqual(['last']);
  });

  it('abortAll resets at once, without waiting for a turn', () => {
    const { driver, endpoint, socket } = makeDriver();
    driver.abortAll();
    expect([endpoint.aborted, socket.texts]).toEqual([1, ['reset']]);
  });
});

describe('keeping the process alive', () => {
  it('is for connections, as long as there are any', () => {
    const { driver, endpoint, socket } = makeDriver();
    driver.wake();
    turn();
    expect(socket.isRef).toBe(true);
    endpoint.connectionCount = 0;
    driver.wake();
    turn();
    expect(socket.isRef).toBe(false);
  });

  it('not for those that do not want it; a listening owner does', () => {
    const { driver, endpoint, socket } = makeDriver({ isRef: true });
    const connection = {} as Connection;
    driver.unrefConnection(connection);
    expect(socket.isRef).toBe(true);
    driver.unref();
    expect(socket.isRef).toBe(false);
    endpoint.connectionCount = 2;
    driver.wake();
    turn();
    expect(socket.isRef).toBe(true);
    endpoint.connectionCount = 1;
    driver.refConnection(connection);
    expect(socket.isRef).toBe(true);
  });
});
