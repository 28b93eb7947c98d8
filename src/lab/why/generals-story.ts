import { spaceTime, type Story, type StoryEvent } from '../../report/space-time.ts';
import type { Words } from './english.ts';
import type { Exhibit } from './exhibit.ts';
import { runGenerals, scriptedLies, type GeneralsResult, type Order } from './generals.ts';
import { indistinguishableWorlds } from './generals-search.ts';
import { compare } from './two-worlds.ts';

/** Three generals in two worlds that look alike to lieutenant 1; and four, where it does not matter. */
export function generals(_seed: number, words: Words): Exhibit {
  const { two, worlds, mustObey, four, name } = words.generals;
  const { first, second } = indistinguishableWorlds();
  const { text, isSame } = compare(storyOf(first.result, 3, words), storyOf(second.result, 3, words), worlds, name(1), words);
  // The commander orders an attack, but says the opposite to lieutenant 2.
  const result = runGenerals({ generals: 4, rounds: 1, traitors: new Set([0]), order: 1, lie: scriptedLies(0b101).lie });
  const picture = spaceTime(storyOf(result, 4, words, new Set([0])), words);
  return { title: two, text: `${text}${mustObey}\n\n${four}\n${picture}`, isShown: isSame && result.isAgreed };
}

function storyOf({ sayings, decisions }: GeneralsResult, count: number, words: Words, traitors?: ReadonlySet<number>): Story {
  const { name, says, passesOn, orders, decides } = words.generals;
  const word = (order: Order): string => orders[order];
  const events = sayings.map(({ path, to, order }, i): StoryEvent => ({
    at: i, lane: name(path.at(-1)!), text: path.length === 1 ? says(word(order)) : passesOn(word(order)), message: { to: name(to), receivedAt: i },
  }));
  const ends = traitors === undefined ? [] : [...decisions].filter(([general]) => !traitors.has(general))
    .map(([general, decision]): StoryEvent => ({ at: sayings.length, lane: name(general), text: decides(word(decision)) }));
  const lanes = Array.from({ length: count }, (_, general) => ({ name: name(general), symbol: traitors?.has(general) === true ? ':' : '|' }));
  return { lanes, events: [...events, ...ends] };
}
