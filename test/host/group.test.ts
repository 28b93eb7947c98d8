import { describe, expect, it } from 'vitest';

import { createRandom } from '../../src/core/random.ts';
import type { GroupOutcome, MemberFate } from '../../src/group/outcome.ts';
import { GroupWorld } from './group-world.ts';

const USER_TIMEOUT_MS = 4000;
const CONFIG = { userTimeoutMs: USER_TIMEOUT_MS, connectTimeoutMs: 4000, congestion: 'fixed' };
const LOSSY = 'delay 5ms 2ms loss 10% duplicate 2% corrupt 1%';

function fateOf(outcome: GroupOutcome | undefined, i: number): MemberFate {
  return outcome!.fates[i]!;
}

/** What must hold for every answer: whoever is counted has the file, whole and on disk. */
function expectHonest(world: GroupWorld, outcome: GroupOutcome | undefined): void {
  expect(outcome, 'the group answers').toBeDefined();
  const counted = outcome!.fates.filter((fate) => fate.kind === 'committed');
  if (outcome!.kind === 'committed') {
    expect(outcome!.sha256).toBe(world.sha256);
    expect(counted.length).toBeGreaterThan(0);
  } else {
    expect(counted).toEqual([]);
  }
  outcome!.fates.forEach((fate, i) => {
    if (fate.kind === 'committed') expect(world.members[i]!.sha256(), `member ${i} of seed`).toBe(world.sha256);
  });
}

describe('a file to a group of k+1', () => {
  it('reaches every member when nobody fails', () => {
    const world = new GroupWorld({ seed: 1, members: 3, bytes: 300_000, network: LOSSY, config: CONFIG });
    const outcome = world.run();
    expectHonest(world, outcome);
    expect(outcome!.fates.map(({ kind }) => kind)).toEqual(['committed', 'committed', 'committed']);
  });

  it('sends an empty file', () => {
    const world = new GroupWorld({ seed: 1, members: 2, bytes: 0, config: CONFIG });
    const outcome = world.run();
    expectHonest(world, outcome);
    expect(outcome).toMatchObject({ kind: 'committed', bytes: 0 });
  });

  it('survives k crashes of k+1 at any instant, 100 seeds', () => {
    let crashesInTransfer = 0;
    for (let seed = 1; seed <= 100; seed++) {
      const random = createRandom(seed);
      const members = 2 + random.below(2);
      const world = new GroupWorld({ seed, members, bytes: 150_000, network: LOSSY, config: CONFIG });
      const survivor = random.below(members);
      for (let i = 0; i < members; i++) {
        if (i === survivor) continue;
        world.at(random.unit() * 1500, () => {
          if (world.sender.group.outcome() === undefined) crashesInTransfer++;
          world.crash(i);
        });
      }
      const outcome = world.run();
      expectHonest(world, outcome);
      expect(outcome!.kind, `seed ${seed}`).toBe('committed');
      expect(fateOf(outcome, survivor).kind, `seed ${seed}`).toBe('committed');
    }
    expect(crashesInTransfer).toBeGreaterThan(50);
  });

  it('says so within the user timeout when all k+1 crash, 50 seeds', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const random = createRandom(seed);
      const world = new GroupWorld({ seed, members: 3, bytes: 1_500_000, network: 'delay 20ms 5ms loss 10% rate 8mbit', config: CONFIG });
      let lastCrash = 0;
      for (let i = 0; i < 3; i++) {
        const at = 200 + random.unit() * 800;
        lastCrash = Math.max(lastCrash, at);
        world.at(at, () => world.crash(i));
      }
      const outcome = world.run();
      expectHonest(world, outcome);
      expect(outcome!.kind).toBe('lost');
      expect(world.now).toBeLessThanOrEqual(lastCrash + USER_TIMEOUT_MS * 1.05 + 100);
      for (const fate of outcome!.fates) expect(fate).toMatchObject({ kind: 'expelled', reason: expect.stringContaining('ETIMEDOUT'), mayHaveCommitted: false });
    }
  });

  it('never counts a member that restarted without memory', () => {
    let resets = 0;
    for (let seed = 1; seed <= 30; seed++) {
      const world = new GroupWorld({ seed, members: 2, bytes: 400_000, network: LOSSY, config: CONFIG });
      world.at(150, () => world.crash(1));
      world.at(150 + createRandom(seed).unit() * 300, () => world.start(1));
      const outcome = world.run();
      expectHonest(world, outcome);
      expect(outcome!.kind).toBe('committed');
      const fate = fateOf(outcome, 1);
      // Where its SYN was lost, the whole conversation was with the second life.
      if (fate.kind === 'committed') expect(fate.memberId).toBe('member-1-3');
      else {
        resets++;
        expect(fate.reason).toContain('ECONNRESET');
        expect(world.members[1]!.sha256()).toBeUndefined();
      }
    }
    expect(resets).toBeGreaterThan(20);
  });

  it('goes as slowly as its slowest member, which loses nothing', () => {
    const fast = new GroupWorld({ seed: 3, members: 2, bytes: 1_000_000, config: CONFIG });
    fast.run();
    const slow = new GroupWorld({ seed: 3, members: 2, bytes: 1_000_000, config: CONFIG });
    slow.members[1]!.disk.slowness = 200;
    let widest = 0;
    slow.runUntil(600_000, () => {
      widest = Math.max(widest, slow.sender.group.bytes - slow.sender.group.confirmedBytes(1));
      return slow.sender.group.outcome() !== undefined;
    });
    const outcome = slow.sender.group.outcome();
    expectHonest(slow, outcome);
    expect(outcome!.fates.map(({ kind }) => kind)).toEqual(['committed', 'committed']);
    expect(slow.now).toBeGreaterThan(fast.now * 5);
    expect(widest).toBeLessThanOrEqual(64 * 1024);
  });

  it('masks a pause shorter than the user timeout and expels after a longer one', () => {
    for (const [pauseMs, kind] of [[2000, 'committed'], [9000, 'expelled']] as const) {
      const world = new GroupWorld({ seed: 4, members: 2, bytes: 400_000, network: LOSSY, config: CONFIG });
      world.at(150, () => world.pause(0));
      world.at(150 + pauseMs, () => world.resume(0));
      const outcome = world.run();
      expectHonest(world, outcome);
      expect(fateOf(outcome, 0).kind).toBe(kind);
      expect(fateOf(outcome, 1).kind).toBe('committed');
    }
  });

  it.each(['both', 'up', 'down'] as const)('expels a member behind a partition (%s)', (direction) => {
    const world = new GroupWorld({ seed: 5, members: 3, bytes: 400_000, network: LOSSY, config: CONFIG });
    world.at(150, () => world.partition(2, true, direction));
    world.at(15_000, () => world.partition(2, false, direction));
    const outcome = world.run();
    expectHonest(world, outcome);
    expect(outcome!.fates.map(({ kind }) => kind)).toEqual(['committed', 'committed', 'expelled']);
    // Healed, it is still not counted, and it does not keep what is incomplete as if it were whole.
    world.runUntil(60_000);
    expect(world.members[2]!.sha256()).toBeUndefined();
  });

  it('goes on without a member that is not there from the start', () => {
    const world = new GroupWorld({ seed: 6, members: 2, bytes: 100_000, config: CONFIG });
    world.crash(0);
    const outcome = world.run();
    expectHonest(world, outcome);
    expect(fateOf(outcome, 0)).toMatchObject({ kind: 'expelled', bytes: 0, reason: expect.stringContaining('ETIMEDOUT') });
    expect(outcome!.kind).toBe('committed');
  });

  it('expels a member whose disk is full, with its own words', () => {
    const world = new GroupWorld({ seed: 7, members: 2, bytes: 300_000, config: CONFIG });
    world.at(60, () => {
      world.members[1]!.disk.fail('ENOSPC');
    });
    const outcome = world.run();
    expectHonest(world, outcome);
    expect(fateOf(outcome, 1)).toMatchObject({ kind: 'expelled', reason: 'its disk failed: ENOSPC: no space left on device, write part' });
    expect(fateOf(outcome, 0).kind).toBe('committed');
  });

  it('expels a member that is stuck above the transport', () => {
    const world = new GroupWorld({ seed: 8, members: 2, bytes: 300_000, config: CONFIG, group: { replyTimeoutMs: 10_000 } });
    world.at(60, () => {
      world.members[0]!.disk.slowness = 1e9;
    });
    const outcome = world.run();
    expectHonest(world, outcome);
    expect(fateOf(outcome, 0)).toMatchObject({ kind: 'expelled', reason: expect.stringContaining('no reply for 10 s') });
    expect(outcome!.kind).toBe('committed');
  });

  it('replays to the same instant from the same seed', () => {
    const run = (): number => {
      const world = new GroupWorld({ seed: 9, members: 3, bytes: 200_000, network: LOSSY, config: CONFIG });
      world.at(200, () => world.crash(1));
      world.run();
      return world.now;
    };
    expect(run()).toBe(run());
  });
});
