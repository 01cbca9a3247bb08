import { confusables } from "./confusables";

/** One character as it would be read, with its span in the original text (UTF-16 indexes, end excluded). */
export interface NormalLetter {
  letter: string;
  from: number;
  to: number;
}

/** Accents of any script, and invisible characters: joiners, direction marks, fillers. */
const unseen =
  /[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]|\p{Me}|[\u0483-\u0487]|[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;
/** On letters of these scripts a mark is an ornament. In other scripts it is a vowel or half a letter. */
const ornamented = /[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{N}]/u;
/** Letters in brackets, boxes, discs and flags: they have no compatibility form, or one that includes the brackets. */
const boxed = [0x249c, 0x1f110, 0x1f130, 0x1f150, 0x1f170, 0x1f1e6];
const latinOf = new Map(
  Object.entries(confusables).flatMap(([letter, others]) =>
    [...others].map((other): [string, string] => [other, letter]),
  ),
);

/** What a text looks like: compatibility forms resolved, accents and invisible characters removed. */
export function normalizeLetters(text: string): NormalLetter[] {
  const letters: NormalLetter[] = [];
  let from = 0;
  for (const character of text) {
    const to = from + character.length;
    const last = letters.at(-1);
    const seen = isPlain(character) ? character : baseLetter(character, last?.letter ?? "");
    for (const letter of seen) letters.push({ letter, from, to });
    // An accent belongs to the letter before it.
    if (seen === "" && last) last.to = to;
    from = to;
  }
  return letters;
}

function baseLetter(character: string, before: string): string {
  const code = character.codePointAt(0) ?? 0;
  const alphabet = boxed.find((first) => code >= first && code < first + 26);
  if (alphabet !== undefined) return String.fromCharCode(0x61 + code - alphabet);
  if (/\p{M}/u.test(character) && ornamented.test(before)) return "";
  return character.normalize("NFKD").replace(unseen, "");
}

/** ASCII and emoji are visible and unambiguous. They are most of what people write. */
function isPlain(character: string): boolean {
  return character <= "\u007e" || (character >= "\u{1f300}" && character <= "\u{1f9ff}");
}

/** The Latin letter or digit that a character looks like, or the character itself, in lower case. */
export function latinLetter(character: string): string {
  return latinOf.get(character) ?? character.toLowerCase();
}
