import {
  englishDataset,
  type ParsedPattern,
  resolveConfusablesTransformer,
  resolveLeetSpeakTransformer,
  SyntaxKind,
  toAsciiLowerCaseTransformer,
} from "obscenity";

const steps = [
  resolveConfusablesTransformer(),
  resolveLeetSpeakTransformer(),
  toAsciiLowerCaseTransformer(),
].map(({ transform }) => transform);
const resolved = new Map<number, string>();
/** The same for ASCII, in an array because most messages are made of it. */
const plainAscii = Array.from({ length: 128 }, (_, code) => resolve(code));

const needed = new RegExp(
  [...new Set(englishDataset.build().blacklistedTerms.map(({ pattern }) => prefilterPattern(pattern)))].join(
    "|",
  ),
);

/**
 * A fast check whether a text may match the list at all. The list's hundred expressions cost more than everything else that
 * is done with a message, and nearly every message matches none. There are false positives but no false negatives.
 */
export function mayMatch(text: string): boolean {
  let plain = "";
  let last = "";
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const letter = code < 128 ? (plainAscii[code] as string) : resolve(code);
    // Doubled letters count as one, as in the patterns.
    if (letter === last) continue;
    last = letter;
    plain += letter;
  }
  return needed.test(plain);
}

/** The letter that a character stands for; an empty string if none. */
function resolve(code: number): string {
  let letter = resolved.get(code);
  if (letter === undefined) {
    const plain = steps.reduce<number | undefined>(
      (held, step) => (held === undefined ? held : step(held)),
      code,
    );
    letter = plain === undefined ? "" : String.fromCharCode(plain);
    resolved.set(code, letter);
  }
  return letter;
}

/** A pattern in which doubled letters count as one, so that a letter that may repeat the one before it is optional. */
function prefilterPattern({ nodes }: ParsedPattern): string {
  let told = "";
  /** The letters that may come right before the next one. */
  let before = new Set<string>();
  for (const node of nodes) {
    const isOptional = node.kind === SyntaxKind.Optional;
    const inner = isOptional ? node.childNode : node;
    const skipped = before;
    for (const letter of inner.kind === SyntaxKind.Literal ? String.fromCodePoint(...inner.chars) : ".") {
      const mayBeMissing = isOptional || letter === "." || before.has(letter);
      told += mayBeMissing ? `${letter}?` : letter;
      before = mayBeMissing ? new Set([...before, letter]) : new Set([letter]);
    }
    if (isOptional) before = new Set([...before, ...skipped]);
  }
  return told;
}
