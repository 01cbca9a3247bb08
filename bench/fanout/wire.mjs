import { randomBytes } from "node:crypto";
import { connect, Socket } from "node:net";

// A WebSocket client that does next to nothing, so that a thousand of them fit on one core. It walks over frame
// headers and shows its owner the first bytes of each message; only when the owner asks is the text decoded.
//
//      HEADROOM            one buffer for all sockets (a read is handled before the next one starts)
//   ┌──────────────┬──────────────────────────────────────────────┐
//   │   ◄─ rest ── │ what the socket just gave                    │
//   └──────────────┴──────────────────────────────────────────────┘
//   the rest of the last read (a header and the head of a text) goes in front, and the walk starts there

const HEADROOM = 256;
/** Bytes of a message its owner always gets to see in one piece. */
const HEAD_BYTES = 128;
/** Not more: with the 192 KiB after which a reader says what it has seen, a read stays within 256 KiB. */
const READ_BYTES = 64 * 1024;

const shared = Buffer.allocUnsafeSlow(HEADROOM + READ_BYTES);
const readInto = shared.subarray(HEADROOM);

const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/**
 * @typedef {object} Owner
 * @property {() => void} opened
 * @property {(buffer: Buffer, start: number, length: number) => boolean} head true: hand me this text whole.
 *   At least the first HEAD_BYTES of the message (or all of it) are there.
 * @property {(text: string) => void} text
 * @property {(why: string) => void} ended
 */

export class Wire {
  #socket = new Socket();
  /** @type {Owner} */ #owner;
  /** Of the message under way: bytes still to come. */
  #skip = 0;
  /** Of the message under way, when its owner wants it. @type {Buffer[] | undefined} */ #pieces;
  #rest = Buffer.allocUnsafe(HEADROOM);
  #restLength = 0;
  /** The answer to the upgrade, until its end. @type {Buffer | undefined} */ #upgrade = Buffer.alloc(0);
  #ended = false;
  bytes = 0;

  /** @param {Owner} owner */
  constructor(owner) {
    this.#owner = owner;
  }

  /** @param {number} port @param {string} path */
  connect(port, path) {
    this.#socket = connect({
      host: "127.0.0.1",
      port,
      noDelay: true,
      onread: {
        buffer: readInto,
        callback: (length) => {
          this.#read(length);
          return true;
        },
      },
    });
    this.#socket.on("connect", () => {
      this.#socket.write(
        `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
          `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n\r\n`,
      );
    });
    this.#socket.on("error", (error) => this.#end(error.message));
    this.#socket.on("close", () => this.#end("closed by the other side"));
  }

  /** @param {string} text */
  send(text) {
    this.#socket.write(frameOf(text));
  }

  /** Several frames in one write. @param {Buffer[]} frames */
  sendFrames(frames) {
    this.#socket.write(frames.length === 1 ? /** @type {Buffer} */ (frames[0]) : Buffer.concat(frames));
  }

  close() {
    this.#ended = true;
    this.#socket.destroy();
  }

  /** @param {string} why */
  #end(why) {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket.destroy();
    this.#owner.ended(why);
  }

  /** @param {number} length */
  #read(length) {
    if (this.#ended) return;
    if (this.#upgrade !== undefined) length = this.#readUpgrade(length);
    this.bytes += length;

    let at = HEADROOM;
    const end = HEADROOM + length;
    if (this.#skip > 0) {
      const take = Math.min(this.#skip, length);
      this.#pieces?.push(Buffer.from(shared.subarray(at, at + take)));
      this.#skip -= take;
      at += take;
      if (this.#skip > 0) return;
      this.#finish();
    } else if (this.#restLength > 0) {
      at -= this.#restLength;
      this.#rest.copy(shared, at, 0, this.#restLength);
      this.#restLength = 0;
    }
    while (at < end) {
      const next = this.#walk(at, end);
      if (next < 0) {
        this.#restLength = shared.copy(this.#rest, 0, at, end);
        return;
      }
      at = next;
    }
  }

  /**
   * One message (or as much as there is of it); answers where the next one starts, or −1 if its head is not all here.
   * @param {number} at
   * @param {number} end
   */
  #walk(at, end) {
    if (end - at < 2) return -1;
    const first = /** @type {number} */ (shared[at]);
    let length = /** @type {number} */ (shared[at + 1]) & 127;
    let start = at + 2;
    if (length === 126) {
      if (end - at < 4) return -1;
      length = shared.readUInt16BE(at + 2);
      start = at + 4;
    } else if (length === 127) {
      if (end - at < 10) return -1;
      length = Number(shared.readBigUInt64BE(at + 2));
      start = at + 10;
    }
    const here = end - start;
    if (here < length && here < HEAD_BYTES) return -1;

    const opcode = first & 15;
    if (opcode === TEXT && first & 128) {
      if (this.#owner.head(shared, start, length)) {
        this.#pieces = [Buffer.from(shared.subarray(start, Math.min(end, start + length)))];
      }
    } else if (opcode === PING) {
      this.#socket.write(
        Buffer.concat([
          Buffer.from([128 | PONG, 128 | length, 0, 0, 0, 0]),
          shared.subarray(start, start + length),
        ]),
      );
    } else if (opcode === CLOSE) {
      this.#end(`closed with ${length >= 2 ? shared.readUInt16BE(start) : "no code"}`);
      return end;
    } else if (opcode !== PONG) {
      this.#end(`a message in fragments or in binary (first byte ${first}), which no subject should send`);
      return end;
    }
    if (here < length) {
      this.#skip = length - here;
      return end;
    }
    this.#finish();
    return this.#ended ? end : start + length;
  }

  #finish() {
    if (this.#pieces === undefined) return;
    const text = (
      this.#pieces.length === 1 ? /** @type {Buffer} */ (this.#pieces[0]) : Buffer.concat(this.#pieces)
    ).toString();
    this.#pieces = undefined;
    this.#owner.text(text);
  }

  /**
   * Moves what follows the HTTP answer to where a read would stand, and answers how much that is.
   * @param {number} length
   */
  #readUpgrade(length) {
    const all = Buffer.concat([/** @type {Buffer} */ (this.#upgrade), readInto.subarray(0, length)]);
    const end = all.indexOf("\r\n\r\n");
    if (end < 0) {
      this.#upgrade = all;
      return 0;
    }
    this.#upgrade = undefined;
    const answer = all.toString("latin1", 0, end);
    if (!answer.startsWith("HTTP/1.1 101")) {
      this.#end(`no upgrade: ${answer.split("\r\n", 1)[0]}`);
      return 0;
    }
    this.#owner.opened();
    return all.copy(readInto, 0, end + 4);
  }
}

/**
 * A client's frame. Its mask is zero, which is as valid as any and spares both the copying; the server unmasks all the same.
 * @param {string} text
 */
export function frameOf(text) {
  const length = Buffer.byteLength(text);
  const long = length > 125;
  const frame = Buffer.alloc((long ? 8 : 6) + length);
  frame[0] = 128 | TEXT;
  if (long) {
    frame[1] = 128 | 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 128 | length;
  }
  frame.write(text, long ? 8 : 6);
  return frame;
}
