import { randomBytes } from "node:crypto";

// How each subject is spoken to. Sockets that do not observe are only counted: `head` sees the first bytes of every
// message and must be cheap. Whatever it wants whole comes back through `text`.

/**
 * @typedef {import("./crowd.mjs").BenchClient} Person
 *
 * @typedef {object} Adapter
 * @property {(room: string, person: Person) => string} path
 * @property {(person: Person) => void} opened
 * @property {(person: Person, buffer: Buffer, start: number, length: number) => boolean} head
 * @property {(person: Person, text: string) => void} text
 * @property {(text: string, id: string) => string} say what a person sends to say this text
 */

const byte = (/** @type {string} */ character) => character.charCodeAt(0);

/** One message, one delivery; it comes back as it was sent. @type {Adapter} */
export const plainAdapter = {
  path: (room) => `/parties/main/${room}`,
  opened: (person) => person.ready(),
  head(person) {
    if (person.observes) return true;
    person.count(1);
    return false;
  },
  text(person, text) {
    person.count(1);
    person.onText(JSON.parse(text).text);
  },
  say: (text) => `{"text":${JSON.stringify(text)}}`,
};

/** The same at the address where partyserver finds a room of a given class. @param {string} party @returns {Adapter} */
export const partyAdapter = (party) => ({
  ...plainAdapter,
  path: (room, person) => `/parties/${party}/${room}?_pk=${tabOf(person)}`,
});

/** engine.io 4 and socket.io 5, as far as an echo room needs them. @type {Adapter} */
export const socketioAdapter = {
  path: (room) => `/socket.io/?EIO=4&transport=websocket&room=${room}`,
  opened() {},
  head(person, buffer, start) {
    if (buffer[start] === byte("4") && buffer[start + 1] === byte("2")) {
      if (person.observes) return true;
      person.count(1);
      return false;
    }
    return true;
  },
  text(person, text) {
    if (text.startsWith("42")) {
      person.count(1);
      person.onText(JSON.parse(text.slice(2))[1].text);
    } else if (text === "2") {
      person.wire.send("3");
    } else if (text.startsWith("0")) {
      person.wire.send("40");
    } else if (text.startsWith("40")) {
      person.ready();
    } else {
      person.reportProblem(`unexpected: ${text.slice(0, 80)}`);
    }
  },
  say: (text) => `42["say",{"text":${JSON.stringify(text)}}]`,
};

const frameHead = Buffer.from('{"t":"frame","seq":');

/** @param {Buffer} buffer @param {number} start the number after the head of a frame, or −1 if this is none */
function frameSeq(buffer, start) {
  if (
    buffer[start + 6] !== byte("f") ||
    buffer.compare(frameHead, 0, frameHead.length, start, start + frameHead.length) !== 0
  ) {
    return -1;
  }
  let seq = 0;
  for (let at = start + frameHead.length; ; at++) {
    const digit = Number(buffer[at]) - 48;
    if (digit < 0 || digit > 9) return seq;
    seq = seq * 10 + digit;
  }
}

/** Frames of numbered events. The number says how many deliveries a frame makes. @type {Adapter} */
export const framedAdapter = {
  ...plainAdapter,
  opened(person) {
    person.seq = 0;
    person.ready();
  },
  head(person, buffer, start) {
    const seq = frameSeq(buffer, start);
    if (person.observes || seq < 0) return true;
    // New to the room, or not where the others had it: have a close look.
    if (person.seq !== seq && person.room.frames.get(seq) !== person.seq) return true;
    person.count(seq - person.seq);
    person.seq = seq;
    return false;
  },
  text(person, text) {
    readFrame(person, JSON.parse(text));
  },
};

/** @param {Person} person @param {{ seq: number, e: { f: string, n: string, d: { text: string } }[] }} frame */
function readFrame(person, frame) {
  if (frame.seq - frame.e.length !== person.seq) {
    person.reportProblem(`frame ${frame.seq} of ${frame.e.length} events came after ${person.seq}`);
  }
  person.room.remember(frame.seq, frame.seq - frame.e.length);
  person.count(frame.e.length);
  person.seq = frame.seq;
  if (!person.observes) return;
  person.frames++;
  for (const event of frame.e) {
    if (event.f === "chat" && event.n === "said") person.onText(event.d.text);
    else person.otherEvents++;
  }
}

/** A reader says what it has seen at least every 256 KiB; one read of 64 KiB may still come on top of this. */
const SEEN_EVERY_BYTES = 192 * 1024;

/** Tallyroom's own, as docs/protocol.md has it. @type {Adapter} */
export const tallyroomAdapter = {
  ...framedAdapter,
  path: (room, person) => `/parties/main/${room}?_pk=${tabOf(person)}`,
  opened() {},
  head(person, buffer, start, length) {
    if (person.wire.bytes - person.seenAtBytes > SEEN_EVERY_BYTES) {
      person.seenAtBytes = person.wire.bytes;
      person.wire.send(`{"t":"seen","seq":${person.seq}}`);
    }
    // A mark ends its frame, and is repeated at once.
    const mark = /,"m":"(\w+)"\}$/.exec(
      buffer.toString("latin1", start + Math.max(0, length - 24), start + length),
    );
    if (mark) person.wire.send(`{"t":"seen","seq":${person.seq},"m":"${mark[1]}"}`);
    return framedAdapter.head(person, buffer, start, length);
  },
  text(person, text) {
    const message = JSON.parse(text);
    switch (message.t) {
      case "frame":
        return readFrame(person, message);
      case "welcome":
        person.seq = message.seq;
        return person.ready();
      case "nack":
        return person.reportProblem(`refused: ${message.code}, ${message.message}`);
      case "bye":
        return person.reportProblem(`sent away: ${message.code}, ${message.reason}`);
      default:
        return undefined; // acks, private slices
    }
  },
  say: (text, id) => `{"t":"do","id":"${id}","f":"chat","a":"say","d":{"text":${JSON.stringify(text)}}}`,
};

/** A tab's name: at least 20 characters, so that its guest is the same when it comes back. @param {Person} person */
function tabOf(person) {
  person.tab ??= randomBytes(16).toString("base64url").slice(0, 21);
  return person.tab;
}
