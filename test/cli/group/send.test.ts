import { describe, expect, it } from 'vitest';

import { nameOf } from '../../../src/cli/group/send.ts';
import { UsageError } from '../../../src/cli/exit.ts';

describe('the name of a file in a group', () => {
  it.each([
    ['/home/me/photo.jpg', undefined, 'photo.jpg'],
    ['photo.jpg', 'A photo', 'A photo'],
    ['-', 'src.tar', 'src.tar'],
  ])('%s, --name %s: %s', (file, name, expected) => {
    expect(nameOf({ file, name })).toBe(expected);
  });

  it.each([['-', undefined, '--name'], ['photo.jpg', '../photo', '--name: '], ['.hidden', undefined, 'FILE: '], ['photo.jpg', '', '--name: ']])('%s, --name %s is wrong usage', (file, name, text) => {
    expect(() => nameOf({ file, name })).toThrow(UsageError);
    expect(() => nameOf({ file, name })).toThrow(text);
  });
});
