import { latinLetter, plainLetters } from "./plain-letters";

/** What is also hard to tell apart in a list of names, in whatever typeface. */
const pairs: [RegExp, string][] = [
  [/[\p{P}\p{Sk}\p{Z}]+/gu, " "],
  [/[1i|!]/g, "l"],
  [/0/g, "o"],
  [/5/g, "s"],
  [/rn/g, "m"],
  [/vv/g, "w"],
  [/cl/g, "d"],
];

/** Two names of one skeleton look alike. Not for showing: it is not the name, and many names share it. */
export function skeleton(name: string): string {
  const letters = plainLetters(name).map(({ letter }) => latinLetter(letter));
  const look = pairs.reduce((text, [what, by]) => text.replace(what, by), letters.join("")).trim();
  // Of marks alone: those are all that tell it from others.
  return look === "" ? name : look;
}
