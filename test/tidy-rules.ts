import ts from 'typescript';

/**
 * What the tree asks of itself, as functions from a file's path and text to complaints: so each rule can be shown a bad
 * snippet, too. Paths are relative to the repository, with slashes.
 */
export interface SourceText {
  readonly path: string;
  readonly text: string;
}

/** Folders of src/ in the order of the architecture: each may import itself and what it names. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  wire: ['core'],
  tcp: ['core', 'wire'],
  link: ['core'],
  fec: ['core'],
  group: ['core'],
  host: ['core', 'wire', 'tcp', 'link', 'fec', 'group'],
  sim: ['core', 'wire', 'tcp', 'link', 'fec', 'group', 'host'],
  report: ['core', 'wire'],
  net: ['core', 'wire', 'tcp', 'link', 'fec', 'group', 'host', 'report'],
  lab: ['core', 'wire', 'tcp', 'link', 'fec', 'group', 'host', 'report', 'sim', 'net'],
  cli: ['core', 'wire', 'tcp', 'link', 'fec', 'group', 'host', 'report', 'sim', 'net', 'lab'],
};

/** Folders in which everything that decides is a pure state machine. */
export const PURE_FOLDERS = ['core', 'wire', 'tcp', 'link', 'fec', 'group', 'host', 'sim'];

/** What pure folders may take from Node: functions of their arguments alone. */
const PURE_NODE_NAMES: Readonly<Record<string, readonly string[]>> = {
  'node:zlib': ['crc32'],
  'node:crypto': ['createHash', 'createHmac', 'Hash', 'Hmac'],
};

/** Modules with a door to the outside, and the folders that hold its key. */
const DOORS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^node:dgram$/, ['net']],
  [/^node:(timers|timers\/promises|perf_hooks|worker_threads)$/, ['net', 'lab']],
  [/^node:child_process$/, ['net', 'lab']],
  [/^node:fs(\/promises)?$/, ['net', 'report', 'cli', 'lab']],
  [/^yargs(\/.*)?$/, ['cli']],
];

const IMPURE_GLOBALS = new Set([
  'Date', 'performance', 'setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate', 'queueMicrotask',
  'process', 'Promise', 'fetch', 'crypto', 'console', 'globalThis',
]);

/** Variables and fields that hold a point of sequence space (RFC 9293, 3.3.1, and ours). */
const SEQUENCE_NAMES = new Set([
  'seq', 'ack', 'iss', 'irs', 'sndUna', 'sndNxt', 'sndWl1', 'sndWl2', 'rcvNxt', 'rcvAdv', 'lastAckSent', 'smallEnd', 'recoveryPoint',
  'probeEnd', 'peerFin', 'endSeq', 'tsVal', 'tsEcr', 'tsRecent',
]);

/** `src/tcp/acks.ts` → `tcp`; undefined outside a folder of src/. */
export function folderOf(path: string): string | undefined {
  const parts = path.split('/');
  return parts[0] === 'src' && parts.length > 2 ? parts[1] : undefined;
}

function parse(source: SourceText): ts.SourceFile {
  return ts.createSourceFile(source.path, source.text, ts.ScriptTarget.Latest, true);
}

interface Import {
  readonly specifier: string;
  /** Imported names; `*` for all, and for what is not named. */
  readonly names: readonly string[];
}

/** Every import, re-export and import() of the file. */
export function importsOf(source: SourceText): Import[] {
  const found: Import[] = [];
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined && ts.isStringLiteral(node.moduleSpecifier)) {
      const bindings = ts.isImportDeclaration(node) ? node.importClause?.namedBindings : node.exportClause;
      const isNamed = bindings !== undefined && (ts.isNamedImports(bindings) || ts.isNamedExports(bindings));
      const named = isNamed ? bindings.elements.map((element) => (element.propertyName ?? element.name).text) : ['*'];
      const isDefault = ts.isImportDeclaration(node) && node.importClause?.name !== undefined;
      found.push({ specifier: node.moduleSpecifier.text, names: isDefault ? ['*', ...named] : named });
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments;
      found.push({ specifier: argument !== undefined && ts.isStringLiteral(argument) ? argument.text : '?', names: ['*'] });
    }
    ts.forEachChild(node, visit);
  };
  visit(parse(source));
  return found;
}

/** The path that a relative import of `path` names. */
export function resolveImport(path: string, specifier: string): string {
  const parts = path.split('/').slice(0, -1);
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}

/** The direction of imports; nobody imports cli. */
export function importDirection(source: SourceText): string[] {
  const folder = folderOf(source.path);
  const complaints: string[] = [];
  for (const { specifier } of importsOf(source)) {
    if (!specifier.startsWith('.')) continue;
    const target = folderOf(resolveImport(source.path, specifier));
    if (target === undefined || target === folder) continue;
    // The library's face exports what there is, except the command line.
    const allowed = folder === undefined ? target !== 'cli' || !source.path.startsWith('src/') : MAY_IMPORT[folder]?.includes(target) === true;
    if (!allowed) complaints.push(`${source.path}: ${folder ?? 'src'} may not import ${target} (${specifier})`);
  }
  return complaints;
}

/** Which Node modules and packages a folder may use. */
export function outsideModules(source: SourceText): string[] {
  const folder = folderOf(source.path);
  if (folder === undefined) return [];
  const complaints: string[] = [];
  for (const { specifier, names } of importsOf(source)) {
    if (specifier.startsWith('.')) continue;
    const door = DOORS.find(([pattern]) => pattern.test(specifier));
    if (door !== undefined && !door[1].includes(folder)) complaints.push(`${source.path}: ${specifier} is for ${door[1].join(', ')} only`);
    else if (PURE_FOLDERS.includes(folder)) {
      const allowed = PURE_NODE_NAMES[specifier] ?? [];
      for (const name of names) if (!allowed.includes(name)) complaints.push(`${source.path}: ${folder} is pure and may not use ${name} of ${specifier}`);
    } else if (!specifier.startsWith('node:') && !specifier.startsWith('yargs')) {
      complaints.push(`${source.path}: ${specifier} is no dependency`);
    }
  }
  return complaints;
}

/** No clock, timer, chance, process or asynchrony in pure folders. */
export function impureGlobals(source: SourceText): string[] {
  const folder = folderOf(source.path);
  if (folder === undefined || !PURE_FOLDERS.includes(folder)) return [];
  const complaints: string[] = [];
  const complain = (node: ts.Node, what: string): void => {
    const file = node.getSourceFile();
    complaints.push(`${source.path}:${file.getLineAndCharacterOfPosition(node.getStart()).line + 1}: ${what} in ${folder}, which is pure`);
  };
  const own = new Set<string>();
  const collect = (node: ts.Node): void => {
    if ((ts.isVariableDeclaration(node) || ts.isParameter(node) || ts.isBindingElement(node)) && ts.isIdentifier(node.name)) own.add(node.name.text);
    ts.forEachChild(node, collect);
  };
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && IMPURE_GLOBALS.has(node.text) && !own.has(node.text) && isReference(node)) complain(node, node.text);
    else if (ts.isPropertyAccessExpression(node) && node.name.text === 'random' && node.expression.getText() === 'Math') complain(node, 'Math.random');
    else if (ASYNCHRONY.has(node.kind)) complain(node, 'asynchrony');
    ts.forEachChild(node, visit);
  };
  const file = parse(source);
  collect(file);
  visit(file);
  return complaints;
}

const ASYNCHRONY = new Set([ts.SyntaxKind.AsyncKeyword, ts.SyntaxKind.AwaitExpression, ts.SyntaxKind.AwaitKeyword]);

/** The identifier names a value or type in scope, not a member of something or a key. */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isPropertyAssignment(parent) || ts.isPropertySignature(parent) || ts.isPropertyDeclaration(parent) || ts.isMethodDeclaration(parent) || ts.isMethodSignature(parent)) {
    return parent.name !== node;
  }
  return true;
}

const COMPARISONS = new Set([
  ts.SyntaxKind.LessThanToken, ts.SyntaxKind.LessThanEqualsToken, ts.SyntaxKind.GreaterThanToken, ts.SyntaxKind.GreaterThanEqualsToken,
]);

/** Sequence numbers are compared, subtracted and ordered by wire/sequence only. */
export function rawSequenceArithmetic(source: SourceText): string[] {
  const folder = folderOf(source.path);
  if ((folder !== 'tcp' && folder !== 'wire') || source.path === 'src/wire/sequence.ts') return [];
  const complaints: string[] = [];
  const isSequence = (node: ts.Node): boolean => {
    if (ts.isParenthesizedExpression(node) || ts.isNonNullExpression(node)) return isSequence(node.expression);
    if (ts.isPropertyAccessExpression(node)) return SEQUENCE_NAMES.has(node.name.text);
    return ts.isIdentifier(node) && SEQUENCE_NAMES.has(node.text);
  };
  const visit = (node: ts.Node): void => {
    const isOrdering = ts.isBinaryExpression(node) && (COMPARISONS.has(node.operatorToken.kind) || node.operatorToken.kind === ts.SyntaxKind.MinusToken)
      && (isSequence(node.left) || isSequence(node.right));
    const isExtreme = ts.isCallExpression(node) && /^Math\.(min|max)$/.test(node.expression.getText()) && node.arguments.some(isSequence);
    if (isOrdering || isExtreme) {
      const { line } = node.getSourceFile().getLineAndCharacterOfPosition(node.getStart());
      complaints.push(`${source.path}:${line + 1}: ${node.getText()} compares sequence numbers without wire/sequence`);
    }
    ts.forEachChild(node, visit);
  };
  visit(parse(source));
  return complaints;
}

const MAX_LINES = 500;

export function fileLength(source: SourceText): string[] {
  const lines = source.text.split('\n').length - 1;
  return lines > MAX_LINES ? [`${source.path}: ${lines} lines, more than ${MAX_LINES}`] : [];
}

/** A name that says nothing invites everything. */
export function vagueName(source: SourceText): string[] {
  return /(^|\/|-)(utils?|helpers?|types?|misc|common)(\.test)?\.ts$/.test(source.path) ? [`${source.path}: a file is named for what it does`] : [];
}

/** Modules that no test reaches, directly or through what it imports. */
export function untested(sources: readonly SourceText[], isExempt: (path: string) => boolean): string[] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const reached = new Set<string>();
  const queue = sources.filter((source) => source.path.startsWith('test/')).map((source) => source.path);
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    const source = byPath.get(path);
    if (source === undefined) continue;
    for (const { specifier } of importsOf(source)) if (specifier.startsWith('.')) queue.push(resolveImport(path, specifier));
  }
  return sources
    .filter(({ path }) => path.startsWith('src/') && !reached.has(path) && !isExempt(path))
    .map(({ path }) => `${path}: no test reaches it`);
}
