import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** lock.PID.START.CHANCE: who holds it, and nobody else ever had that name. */
const LOCK_NAME = /^lock\.(\d+)\.(\d+)\.[0-9a-f]+$/;

/** Another process, or another part of this one, works in the directory. */
export class DirectoryInUseError extends Error {
  override readonly name = 'DirectoryInUseError';
  readonly code = 'EBUSY';
  readonly path: string;
  readonly pid: number;

  constructor(path: string, pid: number) {
    super(`${path} is in use by ${pid === process.pid ? 'this process' : `process ${pid}`}`);
    this.path = path;
    this.pid = pid;
  }
}

export interface DirectoryLock {
  /** A second call changes nothing. */
  release(): void;
}

/** Names held by this process: one that is not there any more may have had the same id. */
const held = new Set<string>();

/**
 * Takes a directory for this process alone. Throws DirectoryInUseError, or the system's error. A process that has died holds nothing, however
 * it died. Those that cannot see each other (other machines, other containers) are not kept apart.
 *
 * Each process makes a lock file of its own and only then looks for others', so of two that come at once at least one sees the
 * other; both may give way. What a lock file says is in its name, which is there at once and as a whole; and since no name comes twice,
 * whoever removes a dead process's file removes nobody else's.
 */
export function lockDirectory(path: string): DirectoryLock {
  const name = `lock.${process.pid}.${startOf(process.pid)?.ticks ?? 0}.${randomBytes(8).toString('hex')}`;
  const file = join(path, name);
  closeSync(openSync(file, 'wx'));
  held.add(name);
  const release = (): void => {
    if (held.delete(name)) rmSync(file, { force: true });
  };
  try {
    for (const other of readdirSync(path)) {
      const [, pid, start] = LOCK_NAME.exec(other) ?? [];
      if (pid === undefined || start === undefined || other === name) continue;
      if (isHeld(other, Number(pid), Number(start))) throw new DirectoryInUseError(path, Number(pid));
      rmSync(join(path, other), { force: true });
    }
  } catch (error) {
    release();
    throw error;
  }
  return { release };
}

function isHeld(name: string, pid: number, start: number): boolean {
  if (pid === process.pid) return held.has(name);
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Somebody else's process is one, too.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const found = startOf(pid);
  // Ids are used again: it must also have begun when the holder did. A zombie has let go of everything.
  return found === undefined || (found.ticks === start && !found.isZombie);
}

/** When a process began, in ticks since the machine did (proc(5), stat); undefined where the system does not say. */
function startOf(pid: number): { ticks: number; isZombie: boolean } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name, in parentheses, may contain anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { ticks: Number(fields[19]), isZombie: fields[0] === 'Z' || fields[0] === 'X' };
  } catch {
    return undefined;
  }
}
