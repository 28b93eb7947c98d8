import { alterEntries, type MessageLie } from '../lies.ts';
import { decodeRaftMessage, encodeRaftMessage } from './raft-message.ts';

/**
 * What a two-faced member of a Raft group says. As a leader, it gives some followers other entries for the same places; as a follower,
 * it acknowledges what it has refused; and it votes for whoever asks, as often as asked.
 */
export const raftLie: MessageLie = (body) => {
  const message = decodeRaftMessage(body);
  switch (message?.kind) {
    case 'append': {
      const entries = alterEntries(message.entries);
      return entries && [encodeRaftMessage({ ...message, entries })];
    }
    case 'append-reply':
      return message.isMatch ? undefined : [encodeRaftMessage({ ...message, isMatch: true })];
    case 'vote-reply':
      return message.isGranted ? undefined : [encodeRaftMessage({ ...message, isGranted: true })];
    case 'pre-vote-reply':
      // Which term was asked for is not in the refusal: the voter's own, or the next.
      return message.isGranted ? undefined : [message.term, message.term + 1].map((term) => encodeRaftMessage({ ...message, term, isGranted: true }));
    default:
      return undefined;
  }
};
