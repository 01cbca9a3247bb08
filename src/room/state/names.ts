import { codePoints } from "../../protocol/codec";
import { MAX_NAME_CHARS } from "../../protocol/limits";
import { skeleton } from "../../text/skeleton";

/** Names that somebody else in the room has too: more than a room has members is somebody's game. */
const MAX_HINTS = 1_000;
/** Whose name has nothing in it that can be seen. */
const NAMELESS = "Someone";

const spaces = /[\p{Z}\u2800\u3164\uffa0\u115f\u1160]+/gu;
/** Direction marks, joiners and all that has no shape of its own, but not what holds an emoji or a script's letters together. */
const shapeless =
  /(?<!\p{Extended_Pictographic}|\p{Emoji_Modifier}|\p{M}|\p{Script=Arab})\u200d|(?<![\p{Extended_Pictographic}0-9#*])\ufe0f|(?!\u200d)(?!\ufe0f)[\p{Cf}\p{Cc}\p{Default_Ignorable_Code_Point}]/gu;
/** More accents than any language puts on a letter: they run over the lines around it. */
const piled =
  /([\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{2})[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+/gu;

/** Other scripts' marks pile up as well: none stands twice in a row, and no syllable needs more than four. */
const doubled = /([\p{Mn}\p{Me}])(?:\u200d*\1)+/gu;
const heaped = /((?:[\p{Mn}\p{Me}]\u200d*){4})(?:[\p{Mn}\p{Me}]\u200d*)+/gu;

/** A name as it may be shown beside others: nothing in it is unseen, turns the line round, or runs over its neighbours. */
export function toDisplayName(name: string): string {
  const seen = name
    .normalize("NFC")
    .replace(spaces, " ")
    .replace(shapeless, "")
    .replace(piled, "$1")
    .replace(doubled, "$1")
    .replace(heaped, "$1")
    .trim();
  return seen === "" ? NAMELESS : truncate(seen, MAX_NAME_CHARS);
}

/** The names in a room, by what they look like: no two members' names look alike. */
export class Names {
  readonly #holders = new Map<string, string>();
  readonly #skeletons = new Map<string, string>();
  /** Where to look first for a number that is free: a thousand of one name are not compared with each other. */
  readonly #next = new Map<string, number>();

  /** The name, or the name with a number that nobody else's looks like. */
  makeDistinct(user: string, name: string): string {
    const look = skeleton(name);
    if (this.#isFree(look, user)) return name;
    for (let number = this.#next.get(look) ?? 2; ; number++) {
      const suffix = ` (${number})`;
      const told = truncate(name, MAX_NAME_CHARS - suffix.length) + suffix;
      if (!this.#isFree(skeleton(told), user)) continue;
      // Only a hint: forgotten, it costs a longer look.
      if (this.#next.size >= MAX_HINTS) this.#next.clear();
      this.#next.set(look, number + 1);
      return told;
    }
  }

  take(user: string, name: string): void {
    this.release(user);
    const look = skeleton(name);
    this.#skeletons.set(user, look);
    this.#holders.set(look, user);
  }

  release(user: string): void {
    const look = this.#skeletons.get(user);
    if (look === undefined) return;
    this.#skeletons.delete(user);
    if (this.#holders.get(look) === user) this.#holders.delete(look);
    if (this.#skeletons.size === 0) this.#next.clear();
  }

  #isFree(look: string, user: string): boolean {
    const holder = this.#holders.get(look);
    return holder === undefined || holder === user;
  }
}

/** By code points, so that no emoji is cut in half. */
function truncate(name: string, most: number): string {
  return codePoints(name) <= most ? name : [...name].slice(0, most).join("").trimEnd();
}
