import type { HistoryEvent, HistoryValue } from '../../group/history.ts';

const MAX_VALUE = 28;

/** As JSON, shortened in its middle; nothing is `nothing`. */
export function showValue(value: HistoryValue): string {
  if (value === null) return 'nothing';
  const text = JSON.stringify(value);
  if (text.length <= MAX_VALUE) return text;
  const half = (MAX_VALUE - 1) >> 1;
  return `${text.slice(0, half)}…${text.slice(-half)}`;
}

/** `put "a"`, `get: "a"`, `cas "a" to "b": failed`, `append "c": 12 bytes`, `del: was there`; and that the outcome is unknown. */
export function describeOperation({ op, value, old, result, ok }: HistoryEvent): string {
  const words = op === 'cas' ? `cas ${showValue(old)} to ${showValue(value)}` : op === 'get' || op === 'del' ? op : `${op} ${showValue(value)}`;
  if (ok === null) return `${words}, unknown`;
  if (ok === false) return `${words}, not executed`;
  switch (op) {
    case 'get':
      return `${words}: ${showValue(result)}`;
    case 'cas':
      return `${words}: ${result === true ? 'done' : 'failed'}`;
    case 'append':
      return result === null ? words : `${words}: ${String(result)} bytes`;
    case 'del':
      return result === null ? words : `${words}: ${result === true ? 'was there' : 'was not there'}`;
    case 'put':
      return words;
  }
}
