import type { Millis } from '../core/machine.ts';
import { resolveConfig, type TcpConfig } from '../tcp/config.ts';
import type { ConnectionError } from '../tcp/errors.ts';
import type { Application } from './application.ts';
import type { Coverage } from './coverage.ts';
import { Outages } from './outages.ts';
import type { Attempt, Scenario } from './scenario.ts';
import type { Verdicts } from './verdict.ts';

/** One connection of a run that is over; `server` is missing if no connection came about there. */
export interface FinishedSession {
  readonly clientIndex: number;
  readonly attempt: Attempt;
  readonly client: Application;
  readonly server: Application | undefined;
}

export interface FinishedRun {
  readonly scenario: Scenario;
  readonly sessions: readonly FinishedSession[];
  readonly endedAtMs: Millis;
  /** Nothing was left to happen, ever. */
  readonly isAtRest: boolean;
}

/**
 * An outage explains a timeout if it filled this share of it. Scripts of faults keep their distance: outages meant to be
 * masked fill less than half.
 */
const OUTAGE_SHARE = 0.8;
/** One of the keep-alive probes may have been lost by chance, and the first may have gone out just before the outage. */
const KEEP_ALIVE_SHARE = 0.6;

/** Least time for which a SYN-ACK is sent again and again (1 s, then 2 s each, eight times), less chance. */
const HALF_OPEN_MS = 12_000;

/**
 * What must hold when a run is over. Each end of each connection has done everything, or has an error that the script of
 * faults proves right, or was left alone by a dead peer with nothing to send. Whatever else happened is a violation.
 */
export function checkRun(run: FinishedRun, verdicts: Verdicts, coverage: Coverage): void {
  if (!run.isAtRest) verdicts.report('liveness', run.endedAtMs, '', `not at rest by the deadline of ${run.scenario.deadlineMs} ms`);
  for (const session of run.sessions) {
    const outages = new Outages(run.scenario, session.clientIndex);
    checkApplication(run, session, true, outages, verdicts, coverage);
    if (session.server !== undefined) checkApplication(run, session, false, outages, verdicts, coverage);
    else if (session.client.isClean) verdicts.report('finish', session.client.goneAtMs, 'server', `${session.client.name} is done, but the server never saw its connection`);
  }
}

function checkApplication(run: FinishedRun, session: FinishedSession, isClient: boolean, outages: Outages, verdicts: Verdicts, coverage: Coverage): void {
  const end = isClient ? session.client : session.server!;
  const { error } = end;
  checkResets(end, verdicts);
  if (end.hasCrashed || end.hasAborted) return;
  if (end.isClean) {
    if (outages.within(end.startedAtMs, end.goneAtMs) > 0) coverage.add('outage masked');
    if (end.stalledForMs > configOf(run.scenario, session, isClient).userTimeoutMs) coverage.add('stall outlived');
    return;
  }
  const problem = error !== undefined ? refuteError(run, session, isClient, error, outages) : refuteSilence(run, session, isClient, outages);
  if (problem !== undefined) {
    const checker = error !== undefined ? 'error' : 'liveness';
    verdicts.report(checker, end.isGone ? end.goneAtMs : run.endedAtMs, end.name, problem);
  } else if (error === undefined) {
    coverage.add('orphan left idle');
  }
}

/** An abort is told, and whoever is told believes it. */
function checkResets(end: Application, verdicts: Verdicts): void {
  const { flow, error } = end;
  if (flow === undefined) return;
  const problem = flow.resets.refuteAbort();
  if (problem !== undefined) verdicts.report('abort', end.goneAtMs, end.name, problem);
  const { takenAtMs } = flow.resets;
  if (takenAtMs === Infinity) return;
  if (flow.goneAtMs > takenAtMs) verdicts.report('reset', takenAtMs, end.name, 'lived on after a RST with exactly the number that it expects');
  // No error at all: everything was delivered both ways, and only the ACK of the FIN was missing.
  else if (error !== undefined && error.code !== 'ECONNRESET') verdicts.report('reset', takenAtMs, end.name, `took a RST for ${error.code}`);
}

/** Why the error is not right; undefined when the script proves it. */
function refuteError(run: FinishedRun, session: FinishedSession, isClient: boolean, error: ConnectionError, outages: Outages): string | undefined {
  const end = isClient ? session.client : session.server!;
  const at = end.goneAtMs;
  const config = configOf(run.scenario, session, isClient);
  switch (error.code) {
    case 'ECONNREFUSED':
      if (isClient && !run.scenario.server.listens) return undefined;
      return hasDied(run, session, isClient, at) ? undefined : 'ECONNREFUSED, but the peer listened';
    case 'ECONNRESET':
      return hasDied(run, session, isClient, at) ? undefined : 'ECONNRESET, but the peer neither restarted nor gave up';
    case 'ETIMEDOUT': {
      // Its RST may have been lost as well: nobody there knows the connection any more.
      if (hasDied(run, session, isClient, at)) return undefined;
      let neededMs = OUTAGE_SHARE * config.userTimeoutMs;
      let spanMs = config.userTimeoutMs;
      if (error.timeout === 'connect timeout') {
        spanMs = config.connectTimeoutMs;
        neededMs = OUTAGE_SHARE * spanMs;
      } else if (error.timeout === 'keep-alive' && config.keepAlive !== undefined) {
        spanMs = config.keepAlive.intervalMs * config.keepAlive.count;
        neededMs = KEEP_ALIVE_SHARE * spanMs;
      }
      const outageMs = outages.within(at - spanMs, at);
      if (outageMs >= neededMs) return undefined;
      return `ETIMEDOUT (${error.timeout}), but of the last ${spanMs} ms only ${outageMs.toFixed(0)} were an outage`;
    }
    case 'ECONNABORTED':
      return 'ECONNABORTED, but nobody aborted';
  }
}

/** The peer's end is gone for a reason that lets its host answer with RST by `at`. */
function hasDied(run: FinishedRun, session: FinishedSession, isClient: boolean, at: Millis): boolean {
  const end = isClient ? session.client : session.server!;
  const peer = isClient ? session.server : session.client;
  const peerHost = isClient ? 'server' : session.clientIndex;
  const hasRestarted = run.scenario.faults.some((fault) => fault.kind === 'crash' && fault.host === peerHost
    && fault.restartAfterMs !== undefined && fault.atMs + fault.restartAfterMs <= at && fault.atMs >= session.client.startedAtMs);
  if (hasRestarted) return true;
  // The handshake did not get to its end here: the server gave up on it before the outage was over.
  if (isClient && peer === undefined && new Outages(run.scenario, session.clientIndex).within(end.startedAtMs, at) >= HALF_OPEN_MS) return true;
  // Close is two generals: the peer has everything and has left TIME-WAIT, but each of its last ACKs was lost.
  if (end.hasClosed && end.hasEnded && peer !== undefined && peer.isClean && peer.read === end.written) return true;
  return peer !== undefined && peer.goneAtMs <= at && (peer.hasAborted || peer.error !== undefined);
}

/** The other of the two generals: everything it sent is acknowledged but its FIN, and the user timeout ended its wait in LAST-ACK. */
function hasGivenUpItsFin(run: FinishedRun, session: FinishedSession, peer: Application, outages: Outages): boolean {
  const { userTimeoutMs } = configOf(run.scenario, session, peer === session.client);
  return peer.isClean && outages.within(peer.goneAtMs - userTimeoutMs, peer.goneAtMs) >= OUTAGE_SHARE * userTimeoutMs;
}

/** Why the end may not just be left as it is; undefined when it can know nothing and has nothing to send. */
function refuteSilence(run: FinishedRun, session: FinishedSession, isClient: boolean, outages: Outages): string | undefined {
  const end = isClient ? session.client : session.server!;
  const peer = isClient ? session.server : session.client;
  const { connection } = end;
  const what = `${connection.stateName}, wrote ${end.written} of ${end.spec.writeBytes}, read ${end.read}`;
  if (end.isGone) return `gone without an error, but finished=${end.hasFinished} ended=${end.hasEnded} (${what})`;
  const peerIsDead = peer === undefined || peer.hasCrashed || peer.hasAborted || peer.error !== undefined
    || hasGivenUpItsFin(run, session, peer, outages);
  if (!peerIsDead) return `hangs with a live peer (${what})`;
  if (connection.sendQueueBytes > 0 || end.written < end.spec.writeBytes) return `hangs with bytes to send (${what})`;
  if (configOf(run.scenario, session, isClient).keepAlive !== undefined) return `hangs in spite of keep-alive (${what})`;
  return undefined;
}

function configOf(scenario: Scenario, session: FinishedSession, isClient: boolean): TcpConfig {
  return resolveConfig(isClient ? scenario.clients[session.clientIndex]!.config : scenario.server.config);
}
