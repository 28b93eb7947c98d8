import { expect, it } from 'vitest';

import { checkHistory } from '../../src/sim/history-checks.ts';
import { append, cas, del, get, history, put, refused } from './history-words.ts';

it.each([
  ['nothing', history()],
  ['what was written is found', history([0, 0, 1, put('a')], [1, 2, 3, get('a')], [1, 4, 5, cas('a', 'b', true)], [1, 6, 7, get('b')])],
  ['an unknown write is found', history([0, 0, null, put('a')], [1, 2, 3, get('a')])],
  ['appended to what was put', history([0, 0, 1, put('a')], [0, 2, 3, append('x')], [1, 4, 5, append('y')], [1, 6, 7, get('ayx')], [1, 8, 9, get(null)])],
  ['deleted, and appended to nothing', history([0, 0, 1, put('a')], [0, 2, 3, del(true)], [1, 4, 5, append('y')], [1, 6, 7, get('y')])],
  ['a log', history([0, 0, 1, append('x')], [1, 0, 3, append('y')], [2, 2, 3, get('yx')], [2, 4, null, append('z')], [3, 5, 6, get('yx')], [3, 7, 8, get('yxz')])],
  ['a log with overlapping looks', history([0, 0, 9, append('x')], [1, 1, 8, get('x')], [2, 2, 9, get(null)])],
])('%s: nothing to complain of', (_name, events) => {
  expect(checkHistory(events)).toEqual([]);
});

it.each([
  ['a value that nobody wrote', history([0, 0, 1, put('a')], [1, 2, 3, get('z')]), 'process 1 found "z", which nobody wrote'],
  ['the old value of a cas that nobody wrote', history([1, 2, 3, cas('z', 'a', true)]), 'process 1 found "z", which nobody wrote'],
  ['what was refused', history([0, 0, 1, refused(put('a'))], [1, 2, 3, get('a')]), 'process 1 found "a", of which process 0 was told that it was not executed'],
  ['what a failed cas had to write', history([0, 0, 1, cas(null, 'a', false)], [1, 2, 3, get('a')]), 'process 1 found "a", of which process 0 was told that the cas failed'],
  ['what was written later', history([1, 0, 1, get('a')], [0, 2, 3, put('a')]), 'process 1 found "a", which was written only later'],
  ['appended twice to what was put', history([0, 0, 1, put('a')], [0, 2, 3, append('x')], [1, 6, 7, get('axx')]), 'process 1 found "x" twice'],
  ['a log with one twice', history([0, 0, 1, append('x')], [1, 2, 3, get('xx')]), 'process 1 found "x" twice'],
  ['a log that lost one', history([0, 0, 1, append('x')], [0, 2, 3, append('y')], [1, 4, 5, get('y')]), 'process 1 did not find "x", which process 0 was told was appended'],
  ['a log that lost all', history([0, 0, 1, append('x')], [1, 4, 5, get(null)]), 'process 1 did not find "x", which process 0 was told was appended'],
  ['a log with something else', history([0, 0, 1, append('x')], [1, 4, 5, get('xq')]), 'process 1 found "xq", which is not made of what was appended'],
  ['a log with what was refused', history([0, 0, 1, append('x')], [0, 2, 3, refused(append('y'))], [1, 4, 5, get('xy')]), 'process 1 found "y", of which process 0 was told that it was not executed'],
  ['a log with what comes later', history([1, 0, 1, get('x')], [0, 2, 3, append('x')]), 'process 1 found "x", which was appended only later'],
  ['a log in two orders', history([0, 0, 1, append('x')], [1, 0, 1, append('y')], [2, 2, 3, get('xy')], [3, 2, 3, get('yx')]), 'process 3 found "yx", and process 2 "xy": two orders'],
  ['a log that shrinks', history([0, 0, 9, append('x')], [1, 1, 2, get('x')], [2, 3, 4, get(null)]), 'process 2 found less than process 1 before'],
])('%s', (_name, events, complaint) => {
  expect(checkHistory(events)).toEqual([`key "x": ${complaint}`]);
});

it('ten complaints are enough', () => {
  const events = Array.from({ length: 50 }, (_, i) => history([i, 0, 1, get(`v${i}`)])[0]!);
  expect(checkHistory(events)).toHaveLength(10);
});
