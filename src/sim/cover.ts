import type { TraceEvent } from '../core/trace.ts';
import type { Endpoint } from '../tcp/endpoint.ts';
import type { Application } from './application.ts';
import type { Coverage } from './coverage.ts';

/** Counts what an event of the transport's trace stands for. */
export function coverTrace(coverage: Coverage, event: TraceEvent): void {
  switch (event.type) {
    case 'state':
      coverTransition(coverage, String(event['from']), String(event['to']));
      break;
    case 'timeout':
      coverage.add('rto');
      break;
    case 'lost':
      coverage.add(event['by'] === 'rack' ? 'rack loss' : 'fast recovery without SACK');
      break;
  }
}

function coverTransition(coverage: Coverage, from: string, to: string): void {
  if (from === 'SYN-SENT' && to === 'SYN-RECEIVED') coverage.add('simultaneous open');
  if (to === 'CLOSING') coverage.add('simultaneous close');
  if (to === 'TIME-WAIT') coverage.add('time-wait');
}

/** Adds up what a connection counted, and how it ended. */
export function coverConnection(coverage: Coverage, end: Application): void {
  const { connection, error } = end;
  const { counters } = connection;
  coverage.add('tail loss probe', counters.lossProbes);
  coverage.add('fast recovery', counters.fastRecoveries);
  coverage.add('zero window', counters.zeroWindowsSeen);
  coverage.add('zero-window probe', counters.windowProbes);
  coverage.add('keep-alive probe', counters.keepAliveProbes);
  coverage.add('paws drop', counters.pawsDropped);
  coverage.add('d-sack', counters.duplicatesReported);
  coverage.add('duplicate received', counters.duplicatesReceived);
  coverage.add('out of order', counters.outOfOrder);
  coverage.add('unacceptable segment', counters.unacceptable);
  coverage.add('challenge ACK', counters.challengeAcks);
  if (!connection.integrityOn) coverage.add('integrity off');
  if (end.hasAborted) coverage.add('abort');
  if (error === undefined) return;
  if (error.code === 'ECONNREFUSED') coverage.add('connection refused');
  if (error.code === 'ECONNRESET') coverage.add('connection reset');
  if (error.timeout === 'user timeout') coverage.add('user timeout');
  if (error.timeout === 'connect timeout') coverage.add('connect timeout');
  if (error.timeout === 'keep-alive') coverage.add('keep-alive timeout');
}

/** Adds up what an endpoint counted. */
export function coverEndpoint(coverage: Coverage, endpoint: Endpoint): void {
  const { counters } = endpoint;
  coverage.add('reset sent', counters.resetsSent);
  coverage.add('reset said again', counters.resetsRepeated);
  coverage.add('backlog full', counters.backlogFull);
  coverage.add('corruption dropped', counters.droppedBadCrc + counters.droppedBadOffset + counters.droppedBadOption + counters.droppedNoCrc);
}
