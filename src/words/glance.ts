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
/** The same for what most messages are made of, looked up faster. */
const plainAscii = Array.from({ length: 128 }, (_, code) => resolve(code));

const needed = new RegExp(
  [...new Set(englishDataset.build().blacklistedTerms.map(({ pattern }) => loosely(pattern)))].join("|"),
);

/**
 * Whether a text may hold anything that the list looks for: over a hundred expressions cost more than all else that is done
 * with a message, and nearly every message holds none of what they need. It may say yes to much, and no only to what has nothing.
 */
export function isWorthALook(text: string): boolean {
  let plain = "";
  let last = "";
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const letter = code < 128 ? (plainAscii[code] as string) : resolve(code);
    // Letters that are doubled count as one, here as in the patterns.
    if (letter === last) continue;
    last = letter;
    plain += letter;
  }
  return needed.test(plain);
}

/** The letter it stands for; nothing where it stands for none. */
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

/** The pattern, where letters that are doubled count as one: a letter that may be the same as one before it may be missing. */
function loosely({ nodes }: ParsedPattern): string {
  let told = "";
  /** What may stand right before the next letter. */
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
