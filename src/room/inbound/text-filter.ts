import type { WordFilter } from "../../text/word-filter";

/** What a kind of room does with words that not everybody wants to read. */
export type ProfanityPolicy = "allow" | "mask" | "reject";

/** They turn the rest of a line round, so that what is read is not what was looked through. Nobody needs them to write. */
const overrides = /[\u202d\u202e]/g;

/** Answers the text as others may read it, or nothing where they may not at all. */
export function createTextFilter(
  words: ProfanityPolicy,
  filter: WordFilter | undefined,
): (text: string) => string | undefined {
  if (words === "allow" || !filter) return (text) => text;
  return (text) => {
    const straight = text.replace(overrides, "");
    const found = filter.find(straight);
    if (found.length === 0) return straight;
    return words === "reject" ? undefined : maskWords(straight, found);
  };
}

function maskWords(text: string, found: ReturnType<WordFilter["find"]>): string {
  let result = "";
  let at = 0;
  for (const { from, to } of found) {
    result += text.slice(at, from) + "*".repeat([...text.slice(from, to)].length);
    at = to;
  }
  return result + text.slice(at);
}
