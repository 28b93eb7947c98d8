import type { Millis } from '../../core/machine.ts';
import type { Random } from '../../core/random.ts';
import type { GroupClient, OperationOutcome } from '../../group/client.ts';
import type { ReplyMessage, Request } from '../../group/message.ts';
import type { Simulator } from '../simulator.ts';
import type { MemberPlace, ReplyRoute } from './member-place.ts';
import type { MessageNetwork } from './message-network.ts';

/** A GroupClient of its own after each unknown outcome. `name` is unique. */
export type ClientFactory = (name: string, random: Random) => GroupClient;

/** Between two attempts to connect. */
const REDIAL_MS = 150;
/** A transport notices that the other end is gone within so long, even if nobody tells it. */
const MAX_DETECTION_MS = 3000;
const MAX_TURNS = 200;

export interface ClientPlaceOptions {
  readonly name: string;
  readonly simulator: Simulator;
  readonly random: Random;
  readonly network: MessageNetwork;
  /** Where the group can be reached, by target. */
  readonly members: readonly MemberPlace[];
  readonly factory: ClientFactory;
  readonly sent: (target: MemberPlace, request: Request) => void;
  readonly received: (target: MemberPlace, reply: ReplyMessage) => void;
  readonly ended: (outcome: OperationOutcome) => void;
  readonly broke: (checker: string, message: string) => void;
}

interface Connection {
  readonly target: number;
  /** Of the process at the other end. */
  readonly life: number;
  isOpen: boolean;
}

/** A computer with a client of the group on it, and its connections to the members. */
export class ClientPlace {
  readonly name: string;
  readonly #simulator: Simulator;
  readonly #random: Random;
  readonly #network: MessageNetwork;
  readonly #members: readonly MemberPlace[];
  readonly #options: ClientPlaceOptions;
  readonly #connections: (Connection | undefined)[];
  #client: GroupClient;
  #clients = 1;
  #turnsNow = 0;
  #turnsAtMs: Millis = -1;
  dueMs: Millis = Infinity;

  constructor(options: ClientPlaceOptions) {
    this.name = options.name;
    this.#simulator = options.simulator;
    this.#random = options.random;
    this.#network = options.network;
    this.#members = options.members;
    this.#options = options;
    this.#connections = options.members.map(() => undefined);
    this.#client = options.factory(`${options.name}.1`, options.random.fork('client 1'));
  }

  get clients(): number {
    return this.#clients;
  }

  start(): void {
    this.#members.forEach((_, target) => this.#dial(target, this.#random.unit()));
  }

  submit(operation: Uint8Array, options: { readonly isStale?: boolean } = {}): number {
    const ticket = this.#client.submit(operation, this.#simulator.now, options);
    this.#turn();
    return ticket;
  }

  /** Nobody knows what became of the last operation: whoever goes on is somebody else. */
  startOver(): void {
    this.#clients++;
    this.#client = this.#options.factory(`${this.name}.${this.#clients}`, this.#random.fork(`client ${this.#clients}`));
    this.#connections.forEach((connection, target) => {
      if (connection?.isOpen === true) this.#client.connected(target, this.#simulator.now);
    });
    this.#turn();
  }

  timeout(): void {
    if (this.#turnsAtMs !== this.#simulator.now) this.#turnsNow = 0;
    this.#turnsAtMs = this.#simulator.now;
    if (++this.#turnsNow > MAX_TURNS) {
      this.#options.broke('spin', `${MAX_TURNS} timeouts in one instant, and the next is due now`);
      this.dueMs = this.#simulator.now + 1;
      return;
    }
    this.#client.handleTimeout(this.#simulator.now);
    this.#turn();
  }

  /** The process at a target ended. Its computer says so if it is still there; otherwise it is found out, later. */
  targetDied(target: number, isTold: boolean): void {
    const connection = this.#connections[target];
    if (connection === undefined) return;
    const member = this.#members[target]!;
    const soon = isTold && this.#network.isOpen(member.name, this.name);
    const afterMs = soon ? this.#network.drawDelayMs(member.name, this.name) : MAX_DETECTION_MS * (0.3 + 0.7 * this.#random.unit());
    this.#simulator.at(this.#simulator.now + afterMs, () => this.#close(connection));
  }

  /** One of its connections dies under it. */
  reset(target: number): void {
    const connection = this.#connections[target];
    if (connection !== undefined) this.#close(connection);
  }

  #dial(target: number, factor: number): void {
    this.#simulator.at(this.#simulator.now + REDIAL_MS * factor, () => {
      if (this.#connections[target] !== undefined) return;
      const member = this.#members[target]!;
      const { life } = member;
      const isReached = member.isUp && this.#network.isOpen(this.name, member.name) && this.#network.isOpen(member.name, this.name);
      if (!isReached) return this.#dial(target, 0.5 + this.#random.unit());
      const roundTripMs = this.#network.drawDelayMs(this.name, member.name) + this.#network.drawDelayMs(member.name, this.name);
      this.#simulator.at(this.#simulator.now + roundTripMs, () => {
        if (this.#connections[target] !== undefined) return;
        if (!member.isUp || member.life !== life) return this.#dial(target, 0.5 + this.#random.unit());
        this.#connections[target] = { target, life, isOpen: true };
        this.#client.connected(target, this.#simulator.now);
        this.#turn();
      });
    });
  }

  #close(connection: Connection): void {
    if (!connection.isOpen) return;
    connection.isOpen = false;
    this.#connections[connection.target] = undefined;
    this.#client.disconnected(connection.target, this.#simulator.now);
    this.#dial(connection.target, 0.5 + this.#random.unit());
    this.#turn();
  }

  #send(target: number, request: Request): void {
    const connection = this.#connections[target];
    const member = this.#members[target]!;
    if (connection === undefined) {
      this.#options.broke('client', `sends to target ${target}, to which there is no connection`);
      return;
    }
    this.#options.sent(member, request);
    const route: ReplyRoute = { name: this.name, received: (reply) => this.#receive(connection, reply) };
    this.#network.send(this.name, member.name, () => {
      if (member.isUp && member.life === connection.life) return member.request(request, route);
      // Whoever lives there now knows nothing of this connection, and says so.
      if (member.isUp) this.targetDied(target, true);
    });
  }

  #receive(connection: Connection, reply: ReplyMessage): void {
    if (!connection.isOpen) return;
    this.#options.received(this.#members[connection.target]!, reply);
    this.#client.received(connection.target, reply, this.#simulator.now);
    this.#turn();
  }

  #turn(): void {
    let sendings = 0;
    for (let next = this.#client.nextSending(); next !== undefined; next = this.#client.nextSending()) {
      if (++sendings > MAX_TURNS * 10) {
        this.#options.broke('spin', 'one sending after the other without end');
        break;
      }
      this.#send(next.target, next.request);
    }
    for (let outcome = this.#client.takeOutcome(); outcome !== undefined; outcome = this.#client.takeOutcome()) this.#options.ended(outcome);
    this.dueMs = Math.max(this.#simulator.now, this.#client.nextTimeout());
  }
}
