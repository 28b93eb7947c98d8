import { describe, expect, it } from 'vitest';
import { AssertionError } from '../../src/core/assert.ts';
import { createRandom } from '../../src/core/random.ts';
import { HAS_FIN, LOST, RETRANSMITTED, SACKED, Scoreboard, type DeliveryListener } from '../../src/tcp/scoreboard.ts';
import { seqAdd } from '../../src/wire/sequence.ts';

class Deliveries implements DeliveryListener {
  readonly log: string[] = [];
  onDelivered(sentMs: number, end: number, wasRetransmitted: boolean, bySack: boolean): void {
    this.log.push(`${end}@${sentMs}${wasRetransmitted ? ' again' : ''}${bySack ? ' sack' : ''}`);
  }
}

/** Segments of 100 bytes from `start` on, one a millisecond. */
function flight(count: number, start = 0): { board: Scoreboard; told: Deliveries } {
  const board = new Scoreboard();
  for (let i = 0; i < count; i++) board.add(seqAdd(start, 100 * i), seqAdd(start, 100 * (i + 1)), i, 0);
  return { board, told: new Deliveries() };
}

describe('scoreboard', () => {
  it('reports what a cumulative ACK covers, in order, and forgets it', () => {
    const { board, told } = flight(5);
    board.acknowledge(200, told);
    expect(told.log).toEqual(['100@0', '200@1']);
    expect([board.count, board.headSentMs]).toEqual([3, 2]);
  });

  it('keeps the rest of a segment that an ACK covers in part', () => {
    const { board, told } = flight(2);
    board.acknowledge(130, told);
    expect(told.log).toEqual(['100@0']);
    expect([board.count, board.startOf(board.first()), board.endOf(board.first())]).toEqual([1, 130, 200]);
    board.markHeadLost();
    expect(board.lostBytes).toBe(70);
    board.acknowledge(150, told);
    expect(board.lostBytes).toBe(50);
    board.acknowledge(200, told);
    expect([board.count, board.lostBytes]).toEqual([0, 0]);
  });

  it('marks only segments that lie wholly within a block (RFC 2018, section 5)', () => {
    const { board, told } = flight(5);
    expect(board.sack(150, 350, told)).toBe(true);
    expect(told.log).toEqual(['300@2 sack']);
    expect([board.sackedBytes, board.sackedCount]).toEqual([100, 1]);
    expect(board.sack(200, 300, told)).toBe(false);
    expect(board.sack(50, 90, told)).toBe(false);
  });

  it('sees what is new in a block of which a part was seen before', () => {
    const { board, told } = flight(6);
    board.sack(200, 300, told);
    board.rememberBlocks(Uint32Array.of(200, 300), 1);
    expect(board.sack(100, 500, told)).toBe(true);
    expect(told.log).toEqual(['300@2 sack', '200@1 sack', '400@3 sack', '500@4 sack']);
  });

  it('sees a segment that straddles the edge of what was seen', () => {
    const { board, told } = flight(3);
    // A block that ends inside a segment (a middlebox cut it) says nothing of it yet.
    board.sack(100, 250, told);
    board.rememberBlocks(Uint32Array.of(100, 250), 1);
    expect(board.sack(100, 300, told)).toBe(true);
    expect(board.sackedBytes).toBe(200);
  });

  it('finds lost what was sent before, by time and by sequence at equal times (RFC 8985, 6.2)', () => {
    const board = new Scoreboard();
    const told = new Deliveries();
    for (let i = 0; i < 4; i++) board.add(100 * i, 100 * (i + 1), 10, 0);
    board.sack(200, 300, told);
    // Sent at 10 like the delivered one, RTT 50, no reordering window: due at 60.
    expect(board.detectLost(10, 300, 50, 59)).toBe(1);
    expect(board.hasLost).toBe(false);
    expect(board.detectLost(10, 300, 50, 60)).toBe(0);
    expect([board.lostBytes, board.flagsOf(board.last()) & LOST]).toEqual([200, 0]);
  });

  it('finds a lost retransmission: its send time is the new one', () => {
    const { board, told } = flight(4);
    board.detectLost(3, 400, 0, 3);
    expect(board.lostBytes).toBe(300);
    for (let slot = board.firstLost(); slot >= 0; slot = board.firstLost()) board.resend(slot, 100 + slot);
    board.sack(100, 300, told);
    expect(told.log).toEqual(['200@101 again sack', '300@102 again sack']);
    expect(board.detectLost(102, 300, 10, 111)).toBe(0);
    // The head's retransmission, and the last one's only transmission.
    expect([board.firstLost(), board.lostBytes]).toEqual([0, 200]);
  });

  it('marks at an RTO the head and what was sent long enough ago (RFC 8985, 6.3)', () => {
    const { board } = flight(5);
    board.markHeadLost();
    board.markLostOlderThan(10, 12);
    expect(board.lostBytes).toBe(300);
    expect(board.markHeadLost()).toBe(false);
  });

  it('takes SACKs back when the peer threw data away (RFC 2018, section 8)', () => {
    const { board, told } = flight(3);
    board.sack(0, 300, told);
    board.forgetSacks();
    expect([board.sackedBytes, board.sackedCount, board.lostBytes]).toEqual([0, 0, 300]);
    expect(board.sack(0, 100, told)).toBe(true);
    expect(board.firstLost()).toBe(1);
  });

  it('asserts on an empty board', () => {
    expect(() => new Scoreboard().first()).toThrow(AssertionError);
    expect(() => new Scoreboard().last()).toThrow(AssertionError);
    expect(new Scoreboard().firstLost()).toBe(-1);
    expect(new Scoreboard().headFlags).toBe(0);
  });

  it.each([1, 2, 3])('agrees with a plain list under random events, across the end of sequence space (seed %i)', (seed) => {
    const random = createRandom(seed);
    const board = new Scoreboard();
    const told = new Deliveries();
    let next = 0xffff_c000;
    let una = next;
    let model: { start: number; end: number; sentMs: number; flags: number }[] = [];
    let expectedLog: string[] = [];
    let seen: number[] = [];
    const off = (seq: number): number => (seq - una) | 0;
    for (let now = 1; now < 4000; now++) {
      const what = random.below(10);
      if (what < 5 && model.length < 300) {
        for (let i = random.below(6); i >= 0; i--) {
          const start = next;
          next = seqAdd(next, 1 + random.below(1000));
          const flags = random.chance(0.01) ? HAS_FIN : 0;
          board.add(start, next, now, flags);
          model.push({ start, end: next, sentMs: now, flags });
        }
      } else if (what === 5 && model.length > 0) {
        una = random.chance(0.7) ? model[random.below(model.length)]!.end : seqAdd(una, random.below(off(next) + 1));
        board.acknowledge(una, told);
        while (model.length > 0 && off(model[0]!.end) <= 0) {
          const r = model.shift()!;
          if ((r.flags & SACKED) === 0) expectedLog.push(`${r.end}@${r.sentMs}${(r.flags & RETRANSMITTED) !== 0 ? ' again' : ''}`);
        }
        if (model.length > 0 && off(model[0]!.start) < 0) model[0]!.start = una;
        if (model.length === 0) seen = [];
      } else if (what <= 7 && model.length > 0) {
        // Two blocks, sometimes one as in the last ACK, and remembered as an ACK's are.
        const blocks: number[] = [];
        for (let i = 0; i < 2; i++) {
          if (seen.length === 4 && random.chance(0.4)) {
            if (off(seen[2 * i]!) >= 0 && blocks.length === 2 * i) blocks.push(seen[2 * i]!, seen[2 * i + 1]!);
            continue;
          }
          const left = seqAdd(una, random.below(off(next) + 1));
          const right = seqAdd(left, random.below(Math.min(3000, off(next) - off(left)) + 1));
          // The blocks of one ACK neither overlap nor touch: that would be one block.
          if (blocks.length > 0 && off(left) <= off(blocks[1]!) && off(right) >= off(blocks[0]!)) continue;
          blocks.push(left, right);
        }
        for (let i = 0; i < blocks.length; i += 2) {
          const [left, right] = [blocks[i]!, blocks[i + 1]!];
          if (left === right) continue;
          let news = false;
          for (const r of model) {
            if (off(r.start) < off(left) || off(r.end) > off(right) || (r.flags & SACKED) !== 0) continue;
            r.flags = (r.flags & ~LOST) | SACKED;
            news = true;
            expectedLog.push(`${r.end}@${r.sentMs}${(r.flags & RETRANSMITTED) !== 0 ? ' again' : ''} sack`);
          }
          expect(board.sack(left, right, told)).toBe(news);
        }
        board.rememberBlocks(Uint32Array.from(blocks), blocks.length / 2);
        seen = blocks;
      } else if (what === 8) {
        const xmit = now - random.below(30);
        const endSeq = seqAdd(una, random.below(off(next) + 1));
        const allowance = random.below(30);
        let wait = 0;
        for (const r of model) {
          if ((r.flags & (SACKED | LOST)) !== 0 || r.sentMs > xmit || (r.sentMs === xmit && off(r.end) >= off(endSeq))) continue;
          if (r.sentMs + allowance <= now) r.flags |= LOST;
          else wait = Math.max(wait, r.sentMs + allowance - now);
        }
        expect(board.detectLost(xmit, endSeq, allowance, now)).toBe(wait);
      } else {
        for (let i = random.below(8); i > 0; i--) {
          const lost = model.find((r) => (r.flags & LOST) !== 0);
          const slot = board.firstLost();
          expect(slot < 0 ? undefined : board.startOf(slot)).toBe(lost?.start);
          if (lost === undefined) break;
          board.resend(slot, now);
          lost.flags = (lost.flags & ~LOST) | RETRANSMITTED;
          lost.sentMs = now;
        }
        if (random.chance(0.02)) {
          board.forgetSacks();
          for (const r of model) if ((r.flags & SACKED) !== 0) r.flags = (r.flags & ~SACKED) | LOST;
          seen = [];
        }
      }
      const sum = (flag: number): number => model.reduce((total, r) => total + ((r.flags & flag) !== 0 ? (r.end - r.start) | 0 : 0), 0);
      const state = [board.count, board.sackedBytes, board.lostBytes, board.sackedCount, board.headFlags];
      const wanted = [model.length, sum(SACKED), sum(LOST), model.filter((r) => (r.flags & SACKED) !== 0).length, model[0]?.flags ?? 0];
      if (state.join() !== wanted.join()) expect(state, `step ${now}`).toEqual(wanted);
      if (told.log.join() !== expectedLog.join()) expect(told.log, `step ${now}`).toEqual(expectedLog);
      told.log.length = 0;
      expectedLog = [];
    }
  });
});
