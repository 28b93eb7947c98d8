import type { Sink } from '../core/trace.ts';
import type { Tap } from '../net/driver.ts';
import { LogFile } from '../net/log-file.ts';
import { openPcap } from '../net/pcap-file.ts';
import type { Reporter } from './output.ts';

export interface Recorders {
  readonly tap?: Tap;
  readonly sink?: Sink;
  close(): void;
}

/** Opens --pcap and --log. Throws the system's error when a file cannot be created. */
export function openRecorders(paths: { readonly pcap?: string | undefined; readonly log?: string | undefined }, reporter: Reporter): Recorders {
  const warn = (message: string): void => reporter.warn(message);
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
      tap: (isOutbound, remote, datagram, timeMs, local) => {
        if (isOutbound) pcap.packet(timeMs, local, remote, datagram, { outbound: true });
        else pcap.packet(timeMs, remote, local, datagram, { outbound: false });
      },
    }),
    ...(log === undefined ? {} : { sink: log }),
    close,
  };
}
