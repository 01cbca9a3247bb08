import type { Json } from "./wire";

// RFC 8785 and CRC-32 once more, written independently of src/protocol/checksum.ts: two that agree have read the specification alike.

/** The canonical JSON of a value: members sorted by UTF-16 code units, numbers and strings as ECMAScript writes them. */
export function canonical(value: Json): string {
  if (Array.isArray(value)) {
    return `[${value.map(canonical).join(",")}]`;
  }
  if (value !== null && typeof value === "object") {
    const members = Object.keys(value)
      .sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
      .map((key) => `${JSON.stringify(key)}:${canonical(value[key] as Json)}`);
    return `{${members.join(",")}}`;
  }
  return JSON.stringify(value);
}

/** CRC-32 (ISO 3309) bit by bit: slow, and too plain to share a mistake with a table. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) {
      crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    }
  }
  return (crc ^ 0xffffffff) >>> 0;
}

export function referenceChecksum(slice: Json): string {
  return crc32(new TextEncoder().encode(canonical(slice)))
    .toString(16)
    .padStart(8, "0");
}
