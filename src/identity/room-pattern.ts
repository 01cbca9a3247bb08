/** `kind/id`, where `*` stands for any run of characters within its part: `quiz/*`, `main/hall-*`. */
export function isRoomPattern(value: unknown): value is string {
  return typeof value === "string" && /^[\w.*-]{1,64}\/[\w.*-]{1,64}$/.test(value);
}

export function matchesRoom(patterns: readonly string[], kind: string, id: string): boolean {
  return patterns.some((pattern) => {
    const slash = pattern.indexOf("/");
    return matchesPart(pattern.slice(0, slash), kind) && matchesPart(pattern.slice(slash + 1), id);
  });
}

/** Whether a token is for every room: it names none, or a pattern that every room matches. */
export function isForAllRooms(patterns: readonly string[] | undefined): boolean {
  return patterns?.some((pattern) => /^\*+\/\*+$/.test(pattern)) ?? true;
}

/**
 * Walks both texts once; on a mismatch the last `*` takes one more character. No regular expression is built from a
 * token's claim, because `*a*a*a*a*b` would backtrack for ever.
 */
function matchesPart(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let taken = 0;
  while (t < text.length) {
    if (pattern[p] === "*") {
      star = p++;
      taken = t;
    } else if (pattern[p] === text[t]) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++taken;
    } else {
      return false;
    }
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}
