import { lookAlikes } from "./look-alikes";

/** One character as it would be read, and where it stands in the text it comes from (UTF-16, end excluded). */
export interface PlainLetter {
  letter: string;
  from: number;
  to: number;
}

/** Accents of every kind that go on a letter of any script, and what is not seen at all: joiners, direction marks, fillers. */
const unseen =
  /[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]|[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;
const latinOf = new Map(
  Object.entries(lookAlikes).flatMap(([letter, others]) =>
    [...others].map((other): [string, string] => [other, letter]),
  ),
);

/** What a text looks like: compatibility forms resolved, accents and the invisible gone, in small letters. */
export function plainLetters(text: string): PlainLetter[] {
  const letters: PlainLetter[] = [];
  let from = 0;
  for (const character of text) {
    const to = from + character.length;
    const seen = isPlain(character) ? character : character.normalize("NFKD").replace(unseen, "");
    for (const letter of seen) letters.push({ letter, from, to });
    // An accent goes with the letter that bears it.
    const last = letters.at(-1);
    if (seen === "" && last) last.to = to;
    from = to;
  }
  return letters;
}

/** ASCII and emoji are all seen, and look like nothing else: most of what people write. */
function isPlain(character: string): boolean {
  return character <= "\u007e" || (character >= "\u{1f300}" && character <= "\u{1f9ff}");
}

/** The Latin letter or digit that a character is drawn like, or itself, in small letters. */
export function latinLetter(character: string): string {
  return latinOf.get(character) ?? character.toLowerCase();
}
