import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  fileLength, folderOf, importDirection, impureGlobals, outsideModules, PURE_FOLDERS, rawSequenceArithmetic, untested, vagueName, type SourceText,
} from './tidy-rules.ts';

const ROOT = new URL('..', import.meta.url);

function readTree(folder: string): SourceText[] {
  return readdirSync(new URL(`${folder}/`, ROOT), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map((name) => `${folder}/${name.replaceAll('\\', '/')}`)
    .sort()
    .map((path) => ({ path, text: readFileSync(new URL(path, ROOT), 'utf8') }));
}

const SOURCES = readTree('src');
const EVERYTHING = [...SOURCES, ...readTree('test'), ...readTree('bench')];

/** Folders of which every module must be reached by some test's imports. */
const TESTED_FOLDERS = ['core', 'wire', 'tcp', 'link', 'report'];

function snippet(path: string, text: string): SourceText {
  return { path, text };
}

describe('the tree', () => {
  it('is there to be checked', () => {
    expect(SOURCES.length).toBeGreaterThan(50);
    expect(new Set(SOURCES.map(({ path }) => folderOf(path)))).toContain('tcp');
  });

  it('imports in one direction only', () => {
    expect(SOURCES.flatMap(importDirection)).toEqual([]);
  });

  it('opens doors to the outside only where they belong', () => {
    expect(SOURCES.flatMap(outsideModules)).toEqual([]);
  });

  it('has no clock, timer, chance, process or asynchrony in what decides', () => {
    expect(SOURCES.flatMap(impureGlobals)).toEqual([]);
  });

  it('compares sequence numbers through wire/sequence only', () => {
    expect(SOURCES.flatMap(rawSequenceArithmetic)).toEqual([]);
  });

  it('has files of a readable length, named for what they do', () => {
    expect(EVERYTHING.flatMap(fileLength)).toEqual([]);
    expect(EVERYTHING.flatMap(vagueName)).toEqual([]);
  });

  it('is reached by tests, where no process has to be started for it', () => {
    expect(untested(EVERYTHING, (path) => !TESTED_FOLDERS.includes(folderOf(path) ?? ''))).toEqual([]);
  });
});

describe('each rule can fail', () => {
  it.each([
    ['src/core/a.ts', '../wire/codec.ts'],
    ['src/wire/a.ts', '../tcp/tcb.ts'],
    ['src/link/a.ts', '../wire/codec.ts'],
    ['src/group/a.ts', '../tcp/tcb.ts'],
    ['src/host/a.ts', '../sim/world.ts'],
    ['src/sim/a.ts', '../net/driver.ts'],
    ['src/net/a.ts', '../sim/world.ts'],
    ['src/report/a.ts', '../tcp/tcb.ts'],
    ['src/lab/a.ts', '../cli/main.ts'],
    ['src/tcp/congestion/a.ts', '../../link/link.ts'],
    ['src/index.ts', './cli/main.ts'],
    ['src/unheard-of/a.ts', '../core/heap.ts'],
  ])('direction: %s may not import %s', (path, specifier) => {
    expect(importDirection(snippet(path, `import { x } from '${specifier}';`))).toHaveLength(1);
    expect(importDirection(snippet(path, `export * from '${specifier}';`))).toHaveLength(1);
    expect(importDirection(snippet(path, `import type { X } from '${specifier}';`))).toHaveLength(1);
    expect(importDirection(snippet(path, `const x = import('${specifier}');`))).toHaveLength(1);
  });

  it('direction: what is allowed passes', () => {
    expect(importDirection(snippet('src/tcp/a.ts', "import { x } from '../wire/codec.ts'; import { y } from './tcb.ts';"))).toEqual([]);
    expect(importDirection(snippet('src/cli/a.ts', "import { x } from '../sim/world.ts';"))).toEqual([]);
  });

  it.each([
    ['src/tcp/a.ts', "import { readFileSync } from 'node:fs';"],
    ['src/tcp/a.ts', "import { randomBytes } from 'node:crypto';"],
    ['src/wire/a.ts', "import zlib from 'node:zlib';"],
    ['src/wire/a.ts', "import * as zlib from 'node:zlib';"],
    ['src/core/a.ts', "import { left } from 'left-pad';"],
    ['src/sim/a.ts', "import { createSocket } from 'node:dgram';"],
    ['src/cli/a.ts', "import { createSocket } from 'node:dgram';"],
    ['src/cli/a.ts', "import { setTimeout } from 'node:timers/promises';"],
    ['src/report/a.ts', "import { spawn } from 'node:child_process';"],
    ['src/net/a.ts', "import yargs from 'yargs';"],
    ['src/net/a.ts', "import { left } from 'left-pad';"],
  ])('doors: %s may not have %s', (path, text) => {
    expect(outsideModules(snippet(path, text))).not.toEqual([]);
  });

  it('doors: pure functions pass', () => {
    expect(outsideModules(snippet('src/wire/a.ts', "import { crc32 } from 'node:zlib'; import { createHash } from 'node:crypto';"))).toEqual([]);
  });

  it.each([
    'const t = Date.now();', 'const t = performance.now();', 'setTimeout(f, 1);', 'const x = Math.random();', 'process.exit(1);', 'async function f() {}',
    'const f = async () => {};', 'function f(): Promise<void> {}', 'for await (const x of y) {}', 'setImmediate(f);', 'console.log(1);', 'const g = globalThis;',
  ])('purity: not in a pure folder: %s', (text) => {
    for (const folder of PURE_FOLDERS) expect(impureGlobals(snippet(`src/${folder}/a.ts`, text)), folder).not.toEqual([]);
    expect(impureGlobals(snippet('src/net/a.ts', text))).toEqual([]);
  });

  it('purity: a member or a parameter of the same name passes, and so do words in comments and strings', () => {
    const text = "// Date, async\nconst s = 'process'; x.process(); const o = { process: 1 }; function f(process: number) { return process; }";
    expect(impureGlobals(snippet('src/tcp/a.ts', text))).toEqual([]);
  });

  it.each([
    'if (segment.seq < tcb.sndNxt) x();', 'if (ack >= tcb.sndUna) x();', 'const n = tcb.sndNxt - tcb.sndUna;', 'const m = Math.max(seq, other);', 'if (x > tcb.peerFin!) y();',
  ])('sequence: not without wire/sequence: %s', (text) => {
    expect(rawSequenceArithmetic(snippet('src/tcp/a.ts', text))).toHaveLength(1);
    expect(rawSequenceArithmetic(snippet('src/wire/sequence.ts', text))).toEqual([]);
  });

  it('sequence: the functions and plain numbers pass', () => {
    expect(rawSequenceArithmetic(snippet('src/tcp/a.ts', 'if (seqLt(segment.seq, tcb.sndNxt) && size < full) x(seq === y);'))).toEqual([]);
  });

  it('length and names', () => {
    expect(fileLength(snippet('src/tcp/a.ts', '\n'.repeat(501)))).toHaveLength(1);
    expect(fileLength(snippet('src/tcp/a.ts', '\n'.repeat(500)))).toEqual([]);
    for (const name of ['utils.ts', 'helper.ts', 'test-helpers.ts', 'types.ts', 'wire/util.test.ts']) expect(vagueName(snippet(`src/${name}`, '')), name).toHaveLength(1);
    expect(vagueName(snippet('src/wire/segment.ts', ''))).toEqual([]);
  });

  it('a module that no test reaches', () => {
    const tree = [
      snippet('test/a.test.ts', "import '../src/core/a.ts';"), snippet('src/core/a.ts', "import './b.ts';"), snippet('src/core/b.ts', ''),
      snippet('src/core/c.ts', "import './a.ts';"),
    ];
    expect(untested(tree, () => false)).toEqual(['src/core/c.ts: no test reaches it']);
  });
});
