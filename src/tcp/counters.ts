/** What a connection counts; plain numbers, doubles up to 2^53. */
export class ConnectionCounters {
  segmentsSent = 0;
  segmentsReceived = 0;
  /** Payload bytes acknowledged by the peer. */
  bytesAcked = 0;
  /** Payload bytes sent, each transmission counted. */
  bytesSent = 0;
  /** Payload bytes delivered in order. */
  bytesReceived = 0;
  retransmissions = 0;
  bytesRetransmitted = 0;
  /** RTO expirations with data or a SYN outstanding. */
  timeouts = 0;
  lossProbes = 0;
  /** Recoveries begun by RACK or by duplicate ACKs. */
  fastRecoveries = 0;
  windowProbes = 0;
  keepAliveProbes = 0;
  /** DSACK blocks received: retransmissions that were not needed, or duplicates made by the network. */
  duplicatesReported = 0;
  /** Duplicate payloads received. */
  duplicatesReceived = 0;
  outOfOrder = 0;
  /** Out-of-order payloads refused because too many pieces were held. */
  reassemblyRefused = 0;
  /** RFC 7323, 5. */
  pawsDropped = 0;
  /** Segments outside the window, dropped and answered. */
  unacceptable = 0;
  challengeAcks = 0;
  /** ACKs that were due but withheld by the rate limit of RFC 5961, 7. */
  ackRateLimited = 0;
  zeroWindowsSeen = 0;
}
