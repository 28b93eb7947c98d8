import { english, type Words } from './english.ts';
import { portuguese } from './portuguese.ts';

/** By their BCP 47 tags. */
export const LANGUAGES = { 'en': english, 'pt-BR': portuguese } as const satisfies Readonly<Record<string, Words>>;
export type Language = keyof typeof LANGUAGES;

/** Throws Error for a language that is not there. */
export function parseLanguage(text: string): Language {
  const found = (Object.keys(LANGUAGES) as Language[]).find((tag) => tag.toLowerCase() === text.toLowerCase());
  if (found === undefined) throw new Error(`"${text}" is not a language here: ${Object.keys(LANGUAGES).join(', ')}`);
  return found;
}
