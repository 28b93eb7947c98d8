import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { entrust } from './janitor.ts';

export interface TempDirectory {
  readonly path: string;
  remove(): void;
}

/** A directory that does not outlive this process, however it dies. `prefix` starts its name. */
export async function makeTempDirectory(prefix: string): Promise<TempDirectory> {
  const path = await mkdtemp(join(tmpdir(), prefix));
  const gone = entrust('directory', path);
  const removeNow = (): void => rmSync(path, { recursive: true, force: true, maxRetries: 3 });
  process.once('exit', removeNow);
  return {
    path,
    remove() {
      process.off('exit', removeNow);
      removeNow();
      gone();
    },
  };
}
