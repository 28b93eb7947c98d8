import { decodeInto, OK } from '../src/wire/codec.ts';
import { Segment } from '../src/wire/segment.ts';

/** One system call, as `strace -f -y -ttt -T -xx` writes it. */
export interface Call {
  readonly tid: number;
  readonly name: string;
  /** Seconds since 1970. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** Of the descriptor, or the first argument. */
  readonly path: string;
  /** rename: the new name. */
  readonly to: string;
  /** What was written or sent. */
  readonly bytes: Buffer;
}

const LINE = /^(\d+)\s+(\d+\.\d+) (.*)$/;
const RESUMED = /^<\.\.\. (\w+) resumed>(.*)$/;
const UNFINISHED = ' <unfinished ...>';
const CALL = /^(\w+)\((.*)\)\s+= .*<(\d+\.\d+)>$/;

/** In the order of their beginnings; those that did not end, and lines of other kinds, are left out. */
export function parseTrace(text: string): Call[] {
  const calls: Call[] = [];
  const open = new Map<string, { readonly startedAt: number; readonly text: string }>();
  for (const line of text.split('\n')) {
    const [, tid, time, rest] = LINE.exec(line) ?? [];
    if (tid === undefined || time === undefined || rest === undefined) continue;
    if (rest.endsWith(UNFINISHED)) {
      open.set(tid, { startedAt: Number(time), text: rest.slice(0, -UNFINISHED.length) });
      continue;
    }
    const resumed = RESUMED.exec(rest);
    const begun = resumed === null ? undefined : open.get(tid);
    open.delete(tid);
    const [, name, args, took] = CALL.exec(begun === undefined ? rest : begun.text + resumed![2]!) ?? [];
    if (name === undefined || args === undefined) continue;
    const startedAt = begun?.startedAt ?? Number(time);
    calls.push({ tid: Number(tid), name, startedAt, endedAt: startedAt + Number(took), ...argumentsOf(name, args) });
  }
  return calls.sort((a, b) => a.startedAt - b.startedAt);
}

function argumentsOf(name: string, args: string): Pick<Call, 'path' | 'to' | 'bytes'> {
  const strings = [...args.matchAll(/"([^"]*)"/g)].map(([, hex]) => unhex(hex!));
  const path = /^\d+<([^>]*)>/.exec(args);
  if (name === 'rename') return { path: String(strings[0]), to: String(strings[1]), bytes: Buffer.alloc(0) };
  // sendmsg names its target in front of what it sends.
  const data = name === 'sendmsg' ? /iov_base="([^"]*)"/.exec(args)?.[1] : undefined;
  return { path: path === null ? '' : String(unhex(path[1]!)), to: '', bytes: data === undefined ? (strings[0] ?? Buffer.alloc(0)) : unhex(data) };
}

function unhex(text: string): Buffer {
  return Buffer.from(text.replaceAll('\\x', ''), 'hex');
}

/** Bytes of application data in a datagram of the transport's; 0 for what is none. */
export function dataLengthOf(datagram: Uint8Array): number {
  const segment = new Segment();
  return decodeInto(segment, datagram) === OK ? segment.payloadLength : 0;
}
