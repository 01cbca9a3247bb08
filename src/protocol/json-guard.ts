import { MAX_DEPTH } from "./limits";
import type { Json } from "./messages";

/**
 * What JSON.parse lets through and a room must not: numbers that overflowed to infinity, strings that come back altered
 * from a database (lone surrogates, U+0000), depth that later walks recurse over, and the one key that a careless merge
 * turns into a prototype. Answers with a sentence, or nothing when all is well.
 */
export function guardJson(value: unknown, depth = 0): string | undefined {
  switch (typeof value) {
    case "string":
      return guardText(value);
    case "number":
      return Number.isFinite(value) ? undefined : "A number is too large.";
    case "boolean":
      return undefined;
    case "object":
      if (value === null) return undefined;
      if (depth >= MAX_DEPTH) return `JSON may nest ${MAX_DEPTH} deep at most.`;
      return Array.isArray(value) ? guardItems(value, depth) : guardEntries(value, depth);
    default:
      return "That is not JSON.";
  }
}

export function guardText(text: string): string | undefined {
  if (!text.isWellFormed()) return "A string holds half of a character (a lone surrogate).";
  if (text.includes("\0")) return "A string holds the character U+0000.";
  return undefined;
}

export function isJson(value: unknown): value is Json {
  return guardJson(value) === undefined;
}

function guardItems(items: readonly unknown[], depth: number): string | undefined {
  for (const item of items) {
    const problem = guardJson(item, depth + 1);
    if (problem) return problem;
  }
  return undefined;
}

function guardEntries(object: object, depth: number): string | undefined {
  for (const key of Object.keys(object)) {
    if (key === "__proto__") return "A key may not be named __proto__.";
    const problem = guardText(key) ?? guardJson((object as Record<string, unknown>)[key], depth + 1);
    if (problem) return problem;
  }
  return undefined;
}
