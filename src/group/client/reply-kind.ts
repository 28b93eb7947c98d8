import { decodeText } from '../byte-codec.ts';
import type { Reply } from '../state-machine.ts';

/** Of an answer, which may be long; reasons are shorter. */
const SHOWN_BYTES = 64;

/** What a reply means for whoever waits for one. */
export type ReplyKind =
  /** The service's answer: it is final, and a repetition would get the same. */
  | 'answer'
  /** The session, or this serial's reply, is gone: nobody will ever say what became of the request. */
  | 'expired'
  /** Another member may know: ask there. */
  | 'elsewhere'
  /** The same member may know later. */
  | 'later';

/**
 * A service that is full or taken says `busy` with the reason in its body, for good; a member that has too much to do says it with an
 * empty body, for now.
 */
export function kindOf({ status, body }: Reply): ReplyKind {
  switch (status) {
    case 'not-leader':
    case 'unavailable':
    // The member has failed, the group has not: others know what became of the request, or will.
    case 'disk-error':
      return 'elsewhere';
    case 'busy':
      return body.length === 0 ? 'later' : 'answer';
    case 'expired':
      return 'expired';
    default:
      return 'answer';
  }
}

/** For people: what a service's encoding adds that cannot be seen is left out. */
export function describeReply({ status, offset, body }: Reply): string {
  const text = body.length === 0 ? '' : ` ${JSON.stringify(decodeText(body.subarray(0, SHOWN_BYTES)).replace(/\p{Cc}/gu, ''))}${body.length > SHOWN_BYTES ? ` … ${body.length} bytes` : ''}`;
  return `${status}${offset === 0 ? '' : ` at ${offset}`}${text}`;
}
