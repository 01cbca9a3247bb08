// The format is https://sqlite.org/fileformat2.html, §4 for the log.

const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;

/**
 * A database file as it stands with its write-ahead log, for a reader that knows no logs.
 * @param {Uint8Array} file
 * @param {Uint8Array} [wal]
 * @returns {Uint8Array}
 */
export function readDatabase(file, wal) {
  let image = new Uint8Array(file);
  for (const { page, bytes, pages, pageBytes } of wal === undefined ? [] : committedFrames(wal)) {
    const size = Math.max(image.length, page * pageBytes);
    if (image.length < size) image = grown(image, size);
    image.set(bytes, (page - 1) * pageBytes);
    if (pages > 0 && image.length !== pages * pageBytes) image = grown(image, pages * pageBytes);
  }
  // Read and write versions: 2 is "with a log", which a reader in memory refuses.
  image[18] = 1;
  image[19] = 1;
  return image;
}

/**
 * @param {Uint8Array} bytes
 * @param {number} size
 */
function grown(bytes, size) {
  const larger = new Uint8Array(size);
  larger.set(bytes.subarray(0, size));
  return larger;
}

/**
 * The frames of a log up to its last commit. A frame counts with the salts of the header and a checksum over all before it; what a crash cut short,
 * and what is left of an earlier round, has others.
 * @param {Uint8Array} wal
 */
function committedFrames(wal) {
  const view = new DataView(wal.buffer, wal.byteOffset, wal.byteLength);
  if (wal.length < WAL_HEADER_BYTES) return [];
  const isLittleEndian = (view.getUint32(0) & 1) === 0;
  const pageBytes = view.getUint32(8);
  const frameBytes = FRAME_HEADER_BYTES + pageBytes;
  let sums = addChecksum(view, 0, 24, isLittleEndian, [0, 0]);
  const frames = [];
  let committed = 0;
  for (let at = WAL_HEADER_BYTES; at + frameBytes <= wal.length; at += frameBytes) {
    const hasSalts =
      view.getUint32(at + 8) === view.getUint32(16) && view.getUint32(at + 12) === view.getUint32(20);
    sums = addChecksum(view, at, 8, isLittleEndian, sums);
    sums = addChecksum(view, at + FRAME_HEADER_BYTES, pageBytes, isLittleEndian, sums);
    if (!hasSalts || view.getUint32(at + 16) !== sums[0] || view.getUint32(at + 20) !== sums[1]) break;
    const pages = view.getUint32(at + 4);
    frames.push({
      page: view.getUint32(at),
      pages,
      pageBytes,
      bytes: wal.subarray(at + FRAME_HEADER_BYTES, at + frameBytes),
    });
    if (pages > 0) committed = frames.length;
  }
  return frames.slice(0, committed);
}

/**
 * @param {DataView} view
 * @param {number} from
 * @param {number} length a multiple of 8
 * @param {boolean} isLittleEndian
 * @param {[number, number]} sums
 * @returns {[number, number]}
 */
function addChecksum(view, from, length, isLittleEndian, [first, second]) {
  let a = first;
  let b = second;
  for (let at = from; at < from + length; at += 8) {
    a = (a + view.getUint32(at, isLittleEndian) + b) >>> 0;
    b = (b + view.getUint32(at + 4, isLittleEndian) + a) >>> 0;
  }
  return [a, b];
}
