import fc from "fast-check";

/** Pieces of text that parsers often mishandle. */
const PIECES = [
  ...['"', "\\", "{", "}", "[", "]", ",", ":", "-", "1e999", "0x1", "null", "true", "NaN", "\0", "\n", " "],
  ...["\\u0000", "\\ud800", "\\udc00", "\ud83d", "\ufeff", "__proto__", '"__proto__":', "constructor"],
  ...["%00", "%2e%2e", "%2F", "../", "//", "?", "#", "&", "=", "+", "💥", "é", "\u202e"],
];

interface Edit {
  at: number;
  gone: number;
  put: string;
}

/** A valid text with a few mutations. */
export function spoil(right: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const put = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...PIECES) },
    { weight: 1, arbitrary: fc.string({ unit: "grapheme", maxLength: 4 }) },
    { weight: 1, arbitrary: fc.constant("") },
  );
  const editArbitrary = fc.record<Edit>({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    gone: fc.nat(5),
    put,
  });
  return fc.tuple(right, fc.array(editArbitrary, { maxLength: 3 })).map(([text, edits]) =>
    edits.reduce((current, { at, gone, put: piece }) => {
      const place = Math.floor(at * (current.length + 1));
      return current.slice(0, place) + piece + current.slice(place + gone);
    }, text),
  );
}
