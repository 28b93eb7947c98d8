import type { HistoryEvent } from '../../src/group/history.ts';

export type Shape = Partial<HistoryEvent> & Pick<HistoryEvent, 'op'>;

/** [process, invoke, complete, what], all of key x: complete null is unknown. */
export function history(...rows: readonly (readonly [number, number, number | null, Shape])[]): HistoryEvent[] {
  return rows.map(([process, invoke, complete, shape]) => ({ process, key: 'x', value: null, old: null, result: null, invoke, complete, ok: complete === null ? null : true, ...shape }));
}

export const get = (result: string | number | null): Shape => ({ op: 'get', result });
export const put = (value: string): Shape => ({ op: 'put', value });
export const cas = (old: string | null, value: string, result: boolean | null): Shape => ({ op: 'cas', old, value, result });
export const append = (value: string, result: number | null = null): Shape => ({ op: 'append', value, result });
export const del = (result: boolean | null = null): Shape => ({ op: 'del', result });
/** Surely not executed. */
export const refused = (shape: Shape): Shape => ({ ...shape, ok: false });
