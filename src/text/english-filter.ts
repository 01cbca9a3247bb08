import { englishDataset, englishRecommendedTransformers, RegExpMatcher } from "obscenity";
import { latinLetter, type NormalLetter, normalizeLetters } from "./normalize";
import { mayMatch } from "./prefilter";
import type { WordFilter } from "./word-filter";

const matcher = new RegExpMatcher({ ...englishDataset.build(), ...englishRecommendedTransformers });

/**
 * English profanity by the list of `obscenity`, also when it is disguised by letters of other scripts, full-width forms,
 * accents, invisible characters, digits, or separators between the letters.
 */
export const englishFilter: WordFilter = {
  find(said) {
    const text = withoutNumbers(said);
    if (isHarmless(text)) return [];
    const letters = toLatin(normalizeLetters(text));
    return mergeSpans([
      ...matches(letters),
      ...findSpelled(letters)
        .filter((run) => matches(run).length > 0)
        .map(span),
    ]).filter(({ from, to }) => !isNumbers.test(text.slice(from, to)));
  },
};

/** Plain ASCII is what it looks like. Most messages need no more than this check. */
function isHarmless(text: string): boolean {
  return isAscii(text) && !mayBeSpelled.test(text) && !mayMatch(text);
}

/** Digits stand for letters in words and for themselves in numbers: 455 is a score. A single digit may be part of `s h 1 t`. */
function withoutNumbers(text: string): string {
  return text.replace(/\d{2,}/g, (digits, at: number) =>
    isApart(text, at - 1) && isApart(text, at + digits.length) ? "-".repeat(digits.length) : digits,
  );
}

const beside = /[\s.,:;?/()#%"'+-]/;
const isNumbers = /^[\d\s.,:;?/()#%"'+-]*$/;

/** Whether the character here is not part of a word. */
function isApart(text: string, at: number): boolean {
  return at < 0 || at >= text.length || beside.test(text.charAt(at));
}

/** The beginning of what `findSpelled` looks for. */
const mayBeSpelled = /(?<![a-z0-9])[a-z0-9]([^a-z0-9])[a-z0-9]\1[a-z0-9](?![a-z0-9])/i;

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7e) return false;
  return true;
}

interface Span {
  from: number;
  to: number;
}

/** A whole word of plain Russian or Greek is kept, whatever it looks like. Any other letter becomes the Latin letter it resembles. */
function toLatin(letters: NormalLetter[]): NormalLetter[] {
  const told: NormalLetter[] = [];
  for (let at = 0; at < letters.length; ) {
    let end = at + 1;
    const isWord = isLetter(letters[at]);
    while (end < letters.length && isLetter(letters[end]) === isWord) end++;
    const word = letters.slice(at, end);
    const isHonest = /^(?:[а-яё]+|[α-ω]+)$/iu.test(word.map(({ letter }) => letter).join(""));
    told.push(...(isHonest ? word : word.map((each) => ({ ...each, letter: latinLetter(each.letter) }))));
    at = end;
  }
  return told;
}

function isLetter(letter: NormalLetter | undefined): boolean {
  return letter !== undefined && /[\p{L}\p{N}]/u.test(letter.letter);
}

/** The matches, as spans of the text that the letters come from. */
function matches(letters: readonly NormalLetter[]): Span[] {
  const units = letters.flatMap((each) => Array<NormalLetter>(each.letter.length).fill(each));
  const plain = letters.map(({ letter }) => letter).join("");
  if (!mayMatch(plain)) return [];
  return matcher
    .getAllMatches(plain)
    .map(({ startIndex, endIndex }) => span(units.slice(startIndex, endIndex + 1)));
}

/** Runs of at least three single letters with the same separator: `b a d`, `b.a.d`. Two letters are initials. */
function findSpelled(letters: readonly NormalLetter[]): NormalLetter[][] {
  const runs: NormalLetter[][] = [];
  for (let at = 0; at < letters.length; ) {
    const between = letters[at + 1]?.letter;
    const run = [letters[at] as NormalLetter];
    let end = at;
    if (
      isLetter(letters[at]) &&
      !isLetter(letters[at - 1]) &&
      between !== undefined &&
      !isLetter(letters[at + 1])
    ) {
      while (
        letters[end + 1]?.letter === between &&
        isLetter(letters[end + 2]) &&
        !isLetter(letters[end + 3])
      ) {
        end += 2;
        run.push(letters[end] as NormalLetter);
      }
    }
    if (run.length >= 3) runs.push(run);
    at = end + 1;
  }
  return runs;
}

function span(letters: readonly NormalLetter[]): Span {
  return { from: letters[0]?.from ?? 0, to: letters.at(-1)?.to ?? 0 };
}

/** Sorted and without overlaps. */
function mergeSpans(spans: Span[]): Span[] {
  const apart: Span[] = [];
  for (const { from, to } of spans.sort((a, b) => a.from - b.from)) {
    const last = apart.at(-1);
    if (last && from <= last.to) last.to = Math.max(last.to, to);
    else apart.push({ from, to });
  }
  return apart;
}
