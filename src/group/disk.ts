/**
 * Disk writes as data. Whatever runs a replica carries them out in order; files are named by the replica's own short words
 * and the runner knows where they lie.
 */
export type DiskOperation =
  /** An empty file, whatever was there before. */
  | { readonly kind: 'create'; readonly file: string }
  | { readonly kind: 'write'; readonly file: string; readonly offset: number; readonly bytes: Uint8Array }
  /** Cuts the file to so many bytes. */
  | { readonly kind: 'truncate'; readonly file: string; readonly lengthBytes: number }
  /** Returns when the file's content survives a power failure. */
  | { readonly kind: 'sync'; readonly file: string }
  /** Atomic, and returns when the directory survives a power failure, too. */
  | { readonly kind: 'rename'; readonly file: string; readonly to: string }
  /** That it is not there is no error. After a power failure it may be there again. */
  | { readonly kind: 'remove'; readonly file: string };

/** The whole content of a file when a replica begins; undefined when there is none. */
export type ReadFile = (file: string) => Uint8Array | undefined;
