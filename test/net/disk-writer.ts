import { openStorage } from '../../src/group/disk-storage.ts';
import type { StoredEntry } from '../../src/group/storage.ts';
import { FileDisk } from '../../src/net/file-disk.ts';

/**
 * A process that appends to the storage in the directory that its argument names, and says on standard output up to which entry
 * everything is on disk, a number a line, until it is killed.
 */
const SNAPSHOT_EVERY = 64;

const disk = await FileDisk.open(process.argv[2]!);
const storage = openStorage(disk.readFile);
let entries: StoredEntry[] = [...storage.entries];
let last = entries.at(-1)?.index ?? storage.snapshot?.index ?? 0;
let nextSnapshot = last + SNAPSHOT_EVERY;

for (;;) {
  const batch: StoredEntry[] = [];
  for (let i = 0; i < 5; i++) batch.push({ index: ++last, term: 1, bytes: Buffer.from(`${last} ${'x'.repeat((last * 37) % 5000)}`) });
  entries.push(...batch);
  storage.append(batch);
  storage.saveState(Buffer.from(`${last}`));
  if (last >= nextSnapshot && !storage.isSavingSnapshot) {
    nextSnapshot = last + SNAPSHOT_EVERY;
    const mark = last - 3;
    const chunks = Array.from({ length: 40 }, () => new Uint8Array(64 * 1024).fill(mark));
    storage.saveSnapshot({ index: mark, term: 1, meta: new Uint8Array(0) }, chunks, () => {
      entries = entries.filter(({ index }) => index > mark);
      return [...entries];
    });
  }
  await disk.run(storage.takeWrites());
  process.stdout.write(`${last}\n`);
}
