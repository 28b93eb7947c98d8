import { describe, expect, it } from 'vitest';
import { canReceive, CLOSED, isLegalTransition, isSynchronized, STATE_NAMES, type State } from '../../src/tcp/state.ts';

const ALL = STATE_NAMES.map((_, i) => i as State);

describe('states (RFC 9293, figure 5)', () => {
  it('knows the moves of the figure and no others', () => {
    const moves = ALL.flatMap((from) => ALL.filter((to) => to !== CLOSED && isLegalTransition(from, to)).map((to) => `${STATE_NAMES[from]} ${STATE_NAMES[to]}`));
    expect(moves).toEqual([
      'CLOSED SYN-SENT', 'CLOSED SYN-RECEIVED', 'SYN-SENT SYN-RECEIVED', 'SYN-SENT ESTABLISHED', 'SYN-RECEIVED ESTABLISHED',
      'ESTABLISHED FIN-WAIT-1', 'ESTABLISHED CLOSE-WAIT', 'FIN-WAIT-1 FIN-WAIT-2', 'FIN-WAIT-1 CLOSING', 'FIN-WAIT-1 TIME-WAIT',
      'FIN-WAIT-2 TIME-WAIT', 'CLOSE-WAIT LAST-ACK', 'CLOSING TIME-WAIT',
    ]);
  });

  it('every state but CLOSED may fall to CLOSED', () => {
    expect(ALL.filter((from) => isLegalTransition(from, CLOSED))).toEqual(ALL.slice(1));
  });

  it('tells where both SYNs are acknowledged, and where text may still come', () => {
    expect(ALL.filter(isSynchronized).map((state) => STATE_NAMES[state])).toEqual([
      'ESTABLISHED', 'FIN-WAIT-1', 'FIN-WAIT-2', 'CLOSE-WAIT', 'CLOSING', 'LAST-ACK', 'TIME-WAIT',
    ]);
    expect(ALL.filter(canReceive).map((state) => STATE_NAMES[state])).toEqual(['ESTABLISHED', 'FIN-WAIT-1', 'FIN-WAIT-2']);
  });
});
