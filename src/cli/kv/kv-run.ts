import { readFileSync } from 'node:fs';

import type { KvOperation } from '../../group/kv/kv-operation.ts';
import type { KvResult } from '../../group/kv/kv-result.ts';
import { traitsOf } from '../../group/modes.ts';
import { KvClient, KvError } from '../../net/kv-client.ts';
import { CommandError, Exit, UsageError } from '../exit.ts';
import { Reporter } from '../output.ts';
import type { KvArgs } from './kv.ts';
import { findTarget } from '../group/target.ts';

type Name = 'get' | 'put' | 'cas' | 'append' | 'del';

/** One operation. Its result goes to stdout; what went wrong, and what is known of it, into the error. */
export async function runKv(name: Name, args: KvArgs): Promise<void> {
  const reporter = new Reporter(args);
  const operation = operationOf(name, args);
  const target = await findTarget(args, 'kv');
  if (!traitsOf(target.mode).isOrdered && name !== 'get' && name !== 'put') throw new UsageError(`${name}: mode ${target.mode} is a register, which has get and put only`);
  const client = await KvClient.open(target);
  try {
    const result = await client.execute(operation, { isStale: args.read === 'local' });
    report(reporter, name, args.key, result);
  } catch (error) {
    if (!(error instanceof KvError)) throw error;
    reporter.json({ type: name, key: args.key, ok: error.outcome === 'unknown' ? null : false, error: error.message });
    // A read changes nothing, whether it was executed or not.
    const known = name === 'get' ? '' : error.outcome === 'unknown' ? '; it may have been executed, or not' : '; not executed';
    throw new CommandError(`${name} ${args.key}: ${error.message}${known}`, error.isLate ? Exit.timedOut : Exit.runtimeError);
  } finally {
    client.close();
  }
}

function operationOf(name: Name, args: KvArgs): KvOperation {
  const { key } = args;
  const value = (): Uint8Array => (args.value === '-' ? readFileSync(0) : new TextEncoder().encode(args.value ?? ''));
  switch (name) {
    case 'get':
      return { kind: 'get', key };
    case 'del':
      return { kind: 'delete', key };
    case 'put':
    case 'append':
      return { kind: name, key, value: value() };
    case 'cas':
      if (args.expected === undefined && args.absent !== true) throw new UsageError('cas needs --expected TEXT or --absent');
      return { kind: 'cas', key, expected: args.expected === undefined ? undefined : new TextEncoder().encode(args.expected), value: value() };
  }
}

function report(reporter: Reporter, name: Name, key: string, result: KvResult): void {
  const text = result.kind === 'value' ? new TextDecoder().decode(result.value) : undefined;
  const value = result.kind === 'truth' ? result.value : result.kind === 'length' ? result.bytes : (text ?? null);
  reporter.json({ type: name, key, ok: true, result: value });
  if (result.kind === 'value' && !reporter.isJson) process.stdout.write(result.value.at(-1) === 0x0a ? result.value : `${text}\n`);
  if (result.kind === 'length') reporter.info(`${result.bytes} bytes`);
  if (result.kind === 'absent') throw new CommandError(`get ${key}: nothing is there`, Exit.runtimeError);
  if (result.kind === 'truth' && !result.value) throw new CommandError(name === 'cas' ? `cas ${key}: what is there is not what was expected` : `del ${key}: nothing was there`, Exit.runtimeError);
}
