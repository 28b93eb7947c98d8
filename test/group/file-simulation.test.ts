import { describe, expect, it } from 'vitest';

import { traitsOf } from '../../src/group/modes.ts';
import { APPEND_BYTES, FileWorld, MEMBERS, randomBytes, sha256 } from './file-world.ts';

const MODES = ['raft', 'primary-backup', 'sequencer', 'active'] as const;
const SOURCE = randomBytes(10 * APPEND_BYTES + 777, 1);
const OTHER = randomBytes(5 * APPEND_BYTES, 2);
const LIMIT_MS = 60_000;
const ALL = Array.from({ length: MEMBERS }, (_, i) => i);

const PHOTO = { name: 'photo.jpg', transferId: 'first' };

function filesOf(world: FileWorld): string[][] {
  return world.members.map((place) => place.disk.files.filter((file) => file.startsWith('files/')).sort());
}

describe.each(MODES)('a file to a group, %s', (mode) => {
  const asksAll = traitsOf(mode).asks === 'all';

  it.each([0, 1, 2])('m%i is killed at 10, 50 or 90 % of the bytes: the others have the file, and so has it when it is back; a second sender is refused', (victim) => {
    for (const percent of [10, 50, 90]) {
      const what = `at ${percent} %`;
      const world = new FileWorld(mode, 100 * victim + percent);
      const { transfer } = world.send(0, SOURCE, PHOTO);
      expect(world.run(LIMIT_MS, () => transfer.confirmedBytes >= (SOURCE.length * percent) / 100), `${what}: so far`).toBe(true);
      expect(transfer.outcome, `${what}: in the middle`).toBeUndefined();
      // Half of the times it is the computer's power that fails.
      world.world.crash(world.members[victim]!, percent === 50);
      const second = world.send(1, OTHER, { ...PHOTO, transferId: 'second' });
      expect(world.run(LIMIT_MS, () => transfer.outcome !== undefined && second.transfer.outcome !== undefined), `${what}: both have an answer`).toBe(true);
      expect(transfer.outcome, what).toEqual({ kind: 'committed', bytes: SOURCE.length, sha256: sha256(SOURCE) });
      expect(second.transfer.outcome, what).toEqual({ kind: 'refused', reason: expect.stringContaining('"photo.jpg" is') });
      const others = ALL.filter((i) => i !== victim);
      expect(world.run(LIMIT_MS, () => others.every((i) => world.has(i, 'photo.jpg'))), `${what}: the others have it`).toBe(true);
      expect(others.map((i) => world.sha256(i, 'photo.jpg')), what).toEqual([sha256(SOURCE), sha256(SOURCE)]);
      world.world.begin(world.members[victim]!);
      expect(world.run(LIMIT_MS, () => world.has(victim, 'photo.jpg')), `${what}: it has it, too`).toBe(true);
      expect(world.sha256(victim, 'photo.jpg'), what).toBe(sha256(SOURCE));
      expect(filesOf(world), what).toEqual(ALL.map(() => ['files/photo.jpg']));
      expect(world.world.verdicts.violations, what).toEqual([]);
    }
  });

  it('what a snapshot holds outlives a power failure of all, and an incomplete file is taken over and gone on with, or begun anew', () => {
    const world = new FileWorld(mode, 11);
    const { transfer } = world.send(0, SOURCE, PHOTO);
    const abandoned = world.send(1, OTHER, { name: 'other', transferId: 'gone' });
    expect(world.run(LIMIT_MS, () => abandoned.transfer.confirmedBytes >= OTHER.length / 2)).toBe(true);
    abandoned.die();
    expect(world.run(LIMIT_MS, () => transfer.outcome !== undefined)).toBe(true);
    for (const place of world.members) world.world.crash(place, true);
    for (const place of world.members) world.world.begin(place);
    const thief = world.send(0, OTHER, { name: 'other', transferId: 'thief', takeOver: { from: 'somebody else', isAnew: false } });
    expect(world.run(LIMIT_MS, () => thief.transfer.outcome !== undefined)).toBe(true);
    expect(thief.transfer.outcome).toMatchObject({ kind: 'refused', reason: expect.stringContaining('is another sender\'s') });
    const heir = world.send(0, OTHER, { name: 'other', transferId: 'heir', takeOver: { from: 'gone', isAnew: false } });
    expect(world.run(LIMIT_MS, () => heir.transfer.outcome !== undefined)).toBe(true);
    expect(heir.transfer.outcome).toEqual({ kind: 'committed', bytes: OTHER.length, sha256: sha256(OTHER) });
    const late = world.send(1, SOURCE, { name: 'other', transferId: 'late', takeOver: { from: 'heir', isAnew: true } });
    expect(world.run(LIMIT_MS, () => late.transfer.outcome !== undefined)).toBe(true);
    expect(late.transfer.outcome).toMatchObject({ kind: 'refused', reason: expect.stringContaining('a name is written once') });
    expect(world.run(LIMIT_MS, () => ALL.every((i) => world.has(i, 'photo.jpg') && world.has(i, 'other')))).toBe(true);
    expect(ALL.map((i) => [world.sha256(i, 'photo.jpg'), world.sha256(i, 'other')])).toEqual(ALL.map(() => [sha256(SOURCE), sha256(OTHER)]));
    expect(world.world.verdicts.violations).toEqual([]);
  });

  it('a member whose disk is full is out, and the others hold the file', () => {
    for (const full of ALL) {
      const world = new FileWorld(mode, 20 + full);
      const { transfer } = world.send(0, SOURCE, PHOTO);
      expect(world.run(LIMIT_MS, () => transfer.confirmedBytes >= SOURCE.length / 2)).toBe(true);
      world.members[full]!.failDisk('ENOSPC');
      expect(world.run(LIMIT_MS, () => transfer.outcome !== undefined), `m${full}`).toBe(true);
      expect(transfer.outcome, `m${full}`).toMatchObject({ kind: 'committed' });
      const others = ALL.filter((i) => i !== full);
      expect(world.run(LIMIT_MS, () => others.every((i) => world.has(i, 'photo.jpg'))), `m${full}`).toBe(true);
      expect([world.has(full, 'photo.jpg'), world.members[full]!.replica!.status().role]).toEqual([false, 'failed']);
    }
  });

  it(asksAll ? 'a member that lies to clients is outvoted' : 'a leader that lies to clients is found out by the SHA-256 in its answers', () => {
    const outcomes = ALL.map((liar) => {
      const world = new FileWorld(mode, 30, liar);
      const { transfer } = world.send(0, SOURCE, PHOTO);
      expect(world.run(LIMIT_MS, () => transfer.outcome !== undefined)).toBe(true);
      return transfer.outcome!.kind;
    });
    expect(new Set(outcomes)).toEqual(new Set(asksAll ? ['committed'] : ['committed', 'differs']));
  });

  it('more crashes than it masks: the sender is told within its patience, and no member takes half a file for the whole', () => {
    const world = new FileWorld(mode, 7);
    const { transfer } = world.send(0, SOURCE, PHOTO);
    expect(world.run(LIMIT_MS, () => transfer.confirmedBytes >= SOURCE.length / 2)).toBe(true);
    for (const place of world.members) world.world.crash(place, false);
    expect(world.run(5500, () => transfer.outcome !== undefined)).toBe(true);
    expect(transfer.outcome).toMatchObject({ kind: 'failed' });
    expect(ALL.map((i) => world.sha256(i, 'photo.jpg'))).toEqual([undefined, undefined, undefined]);
  });
});
