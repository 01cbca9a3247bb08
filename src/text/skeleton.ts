import { latinLetter, normalizeLetters } from "./normalize";

/** Sequences that are hard to tell apart in a list of names in most typefaces. */
const pairs: [RegExp, string][] = [
  [/[\p{P}\p{Sk}\p{Z}]+/gu, " "],
  [/[1i|!]/g, "l"],
  [/0/g, "o"],
  [/5/g, "s"],
  [/rn/g, "m"],
  [/vv/g, "w"],
  [/cl/g, "d"],
];

/** The UTS 39 skeleton: two names with the same skeleton look alike. Not for display. */
export function skeleton(name: string): string {
  const letters = normalizeLetters(name).map(({ letter }) => latinLetter(letter));
  const look = pairs.reduce((text, [what, by]) => text.replace(what, by), letters.join("")).trim();
  // A name made of marks alone has only those to distinguish it.
  return look === "" ? name : look;
}
