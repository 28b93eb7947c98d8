import type { Reply } from '../state-machine.ts';

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
