/** CRC-32 (as in zlib) of the RFC 8785 form of a value: what a room and a client compare to know that they hold the same. */
export function checksum(value: unknown): string {
  return crc32(canonical(value)).toString(16).padStart(8, "0");
}

/** RFC 8785: keys in the order of their UTF-16 units, numbers and strings as ECMAScript writes them. */
export function canonical(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  const entries = Object.entries(value).filter(([, held]) => held !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, held]) => `${JSON.stringify(key)}:${canonical(held)}`).join(",")}}`;
}

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let c = byte;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  return c;
});

/** Over the UTF-8 of a text, encoded as it goes: the pure folders have no TextEncoder. */
export function crc32(text: string): number {
  let crc = -1;
  const eat = (byte: number) => {
    crc = (crc >>> 8) ^ (table[(crc ^ byte) & 0xff] as number);
  };
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) {
      crc = (crc >>> 8) ^ (table[(crc ^ unit) & 0xff] as number);
      continue;
    }
    const point = text.codePointAt(i) as number;
    if (point < 0x800) eat(0xc0 | (point >> 6));
    else {
      if (point < 0x10000) eat(0xe0 | (point >> 12));
      else {
        i++;
        eat(0xf0 | (point >> 18));
        eat(0x80 | ((point >> 12) & 63));
      }
      eat(0x80 | ((point >> 6) & 63));
    }
    eat(0x80 | (point & 63));
  }
  return ~crc >>> 0;
}
