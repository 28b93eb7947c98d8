import type { Sink } from '../core/trace.ts';
import { makeAddress } from '../core/address.ts';
import type { Tap } from '../net/driver.ts';
import { LogFile } from '../net/log-file.ts';
import { openPcap } from '../net/pcap-file.ts';
import type { Reporter } from './output.ts';

export interface Recorders {
  readonly tap?: Tap;
  readonly sink?: Sink;
  /** The address of this side, once it is known: captures need it. */
  setLocal(host: string, port: number): void;
  close(): void;
}

/** Opens --pcap and --log. Throws the system's error when a file cannot be created. */
export function openRecorders(paths: { readonly pcap?: string | undefined; readonly log?: string | undefined }, reporter: Reporter): Recorders {
  const warn = (message: string): void => reporter.warn(message);
  let local = makeAddress('0.0.0.0', 0);
  const pcap = paths.pcap === undefined ? undefined : openPcap(paths.pcap, warn);
  const log = paths.log === undefined ? undefined : new LogFile(paths.log, warn);
  const close = (): void => {
    pcap?.close();
    log?.close();
  };
  // Also when the command ends with an error: both write synchronously.
  process.once('exit', close);
  return {
    ...(pcap === undefined ? {} : {
      tap: (isOutbound, remote, datagram, timeMs) => {
        if (isOutbound) pcap.packet(timeMs, local, remote, datagram, { outbound: true });
        else pcap.packet(timeMs, remote, local, datagram, { outbound: false });
      },
    }),
    ...(log === undefined ? {} : { sink: log }),
    setLocal: (host, port) => {
      local = makeAddress(host, port);
    },
    close,
  };
}
