import { createServer, type Server } from 'node:http';

import { formatAddress, type Address } from '../core/address.ts';
import type { Millis } from '../core/machine.ts';
import { Balancer, type Failure } from '../group/balancer/balancer.ts';
import { healthHtml, healthJson } from '../group/balancer/health-page.ts';
import type { Mode } from '../group/modes.ts';
import type { Peer } from '../group/replica.ts';
import { BalancerHost } from '../host/balancer-host.ts';
import { monotonicNow } from './driver.ts';
import { openHost, type OpenHost } from './host-driver.ts';
import { Routes } from './routes.ts';

export interface BalancerBeginning {
  readonly members: readonly Peer[];
  readonly routes: Readonly<Record<string, string>>;
}

export interface BalancerServerOptions {
  readonly id: string;
  readonly clusterId: string;
  readonly mode: Mode;
  readonly host: string;
  readonly port: number;
  /** A member that has been down for so long has failed; undefined: the balancer's own measure. */
  readonly replaceAfterMs: Millis | undefined;
  readonly bound: (local: Address) => Promise<BalancerBeginning>;
  /** See Balancer.nextFailure(). */
  readonly onFailure: (failure: Failure) => void;
}

/** A balancer on a real socket, with its health page on the TCP port of the same number, where that is free. */
export class BalancerServer {
  readonly #open: OpenHost<BalancerHost>;
  readonly #routes: Routes;
  readonly #page: Server | undefined;
  /** URL of the health page, or why there is none. */
  readonly page: string | Error;

  private constructor(open: OpenHost<BalancerHost>, routes: Routes, page: Server | Error) {
    this.#open = open;
    this.#routes = routes;
    this.#page = page instanceof Error ? undefined : page;
    this.page = page instanceof Error ? page : `http://${formatAddress(open.address)}/`;
  }

  /** Rejects with the system's error when the address cannot be had. */
  static async start(options: BalancerServerOptions): Promise<BalancerServer> {
    const { id, clusterId, mode, host, port, replaceAfterMs } = options;
    const routes = new Routes();
    let beginning: BalancerBeginning | undefined;
    const open = await openHost<BalancerHost>({
      host, port, name: id, isRef: true,
      bound: async (local) => {
        beginning = await options.bound(local);
        routes.set(beginning.routes);
      },
      build: (endpoint) => new BalancerHost({ endpoint, balancer: new Balancer({ name: id, mode, ...(replaceAfterMs === undefined ? {} : { replaceAfterMs }) }), clusterId, id, resolve: (peer) => routes.resolve(peer) }),
      afterTurn: ({ balancer }) => {
        for (let failure = balancer.nextFailure(); failure !== undefined; failure = balancer.nextFailure()) options.onFailure(failure);
      },
    });
    const page = await servePage(open.address, () => healthJson({ clusterId, pid: process.ppid, ...open.host.balancer.report(monotonicNow()) }), () => healthHtml(open.host.balancer.report(monotonicNow())));
    const server = new BalancerServer(open, routes, page);
    for (const member of beginning!.members) server.addMember(member);
    return server;
  }

  setRoutes(routes: Readonly<Record<string, string>>): void {
    this.#routes.set(routes);
  }

  addMember(peer: Peer): void {
    this.#open.host.addMember(peer, monotonicNow());
    this.#open.wake();
  }

  removeMember(id: string): void {
    this.#open.host.removeMember(id, monotonicNow());
    this.#open.wake();
  }

  report(): ReturnType<Balancer['report']> {
    return this.#open.host.balancer.report(monotonicNow());
  }

  close(): void {
    this.#open.close();
    this.#page?.close();
    this.#page?.closeAllConnections();
  }
}

/** `/` for people, `/status` for programs. Resolves with the system's error where the port is taken: the balancer works without. */
function servePage({ host, port }: Address, json: () => string, html: () => string): Promise<Server | Error> {
  const page = createServer((request, response) => {
    if (request.method !== 'GET' || (request.url !== '/' && request.url !== '/status')) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end(`there is / and /status here, of the balancer at ${formatAddress({ host, port })}\n`);
      return;
    }
    const isPage = request.url === '/';
    response.writeHead(200, { 'content-type': isPage ? 'text/html; charset=utf-8' : 'application/json' }).end(isPage ? html() : json());
  });
  page.unref();
  return new Promise((resolve) => {
    page.on('error', resolve);
    page.listen(port, host, () => resolve(page));
  });
}
