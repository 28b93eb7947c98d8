import { alterEntries, type MessageLie } from '../lies.ts';
import { encodeCommand } from '../log-command.ts';
import { decodeViewMessage, encodeViewMessage } from './view-message.ts';

/** Above what is under way. */
const FAR_AHEAD = 1000;

/**
 * What a two-faced member of a group with views says. A leader orders other operations for some; whoever begins a message of the agreed
 * order gives some a final stamp that comes later; and one that does not lead orders all the same. What it asks of the view service, and
 * what others asked it to pass on, it leaves as it is: against that only signatures would help. Nor does it keep silent: a member that
 * lives and acknowledges nothing stops a group with views, and that is no lie.
 */
export const viewLie: MessageLie = (body, role) => {
  const message = decodeViewMessage(body);
  switch (message?.kind) {
    case 'order':
    case 'suffix': {
      const entries = alterEntries(message.entries);
      return entries && [encodeViewMessage({ ...message, entries })];
    }
    case 'final':
      return [encodeViewMessage({ ...message, stamp: { ...message.stamp, clock: message.stamp.clock + FAR_AHEAD } })];
    case 'alive': {
      if (role !== 'backup' || !message.isRunning) return undefined;
      const { view, lastIndex } = message;
      const entry = { index: lastIndex + 1, term: view, bytes: encodeCommand({ kind: 'no-op' }) };
      return [body, encodeViewMessage({ kind: 'order', view, prevIndex: lastIndex, prevTerm: view, stableIndex: entry.index, lastIndex: entry.index, round: 0, entries: [entry] })];
    }
    default:
      return undefined;
  }
};
