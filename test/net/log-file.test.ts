import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { LogFile } from '../../src/net/log-file.ts';

const directory = mkdtempSync(join(tmpdir(), 'failmask-log-'));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

it('writes a line for each event, with the time in front', () => {
  const path = join(directory, 'log');
  const log = new LogFile(path, () => {});
  log.emit(12.345678, { type: 'state', to: 'ESTABLISHED' });
  log.emit(13, { type: 'drop', reason: 'bad-crc', count: 2, last: true, nothing: undefined });
  log.close();
  expect(readFileSync(path, 'utf8')).toBe('{"ms":12.346,"type":"state","to":"ESTABLISHED"}\n{"ms":13,"type":"drop","reason":"bad-crc","count":2,"last":true}\n');
  log.emit(14, { type: 'late' });
  log.close();
  expect(log.dropped).toBe(1);
});

it('a full disk is said once, and stops nothing', () => {
  const messages: string[] = [];
  const log = new LogFile('/dev/full', (message) => messages.push(message));
  for (let i = 0; i < 5000; i++) log.emit(i, { type: 'send', segment: 'x'.repeat(40) });
  log.close();
  expect(messages).toEqual([expect.stringMatching(/^log \/dev\/full ends here: ENOSPC/)]);
  expect(log.dropped).toBeGreaterThan(0);
});

it('a path that cannot be opened throws', () => {
  expect(() => new LogFile(join(directory, 'no', 'log'), () => {})).toThrow('ENOENT');
});
