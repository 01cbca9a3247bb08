import type { RoomSettings } from "../../src/room/settings";
import { type Random, randomFrom } from "../platforms/random";
import { settings } from "../support/room-settings";

/** The settings of one seed, drawn for each, so that every run is biased in its own way. */
export interface Plan {
  seed: number;
  settings: RoomSettings;
  /** Limits of `protocol/limits.ts` made small, so that a short run reaches them. */
  limits: Readonly<Record<string, number>>;
  /** How often a move is made, against its own weight. */
  weights: Readonly<Record<string, number>>;
  rooms: number;
  people: number;
  /** So many of the tabs are pages that run the real session. */
  pages: number;
  /** As on PartyKit: a room that failed is opened again in the same process, and its sockets are closed. */
  abandonsInPlace: boolean;
  /** The platform answers pings itself, without waking the room. */
  answersPings: boolean;
  netMs: number;
  diskMs: number;
  noticeMs: number;
  timersLateMs: number;
  alarmsLateMs: number;
  /** Machines' clocks are wrong by up to so much, either way. */
  skewMs: number;
  /** And they are set wrong by up to so much for a while, and right again; absent in older scenarios. */
  stepMs?: number;
  /** Players are guests, so that a room may be opened by one. */
  hasGuests: boolean;
  /** The most characters that may be in flight to a reader and unread. */
  mostUnread: number;
  /** And so many more to a reader that lies about what it has read. */
  mostUnproven?: number;
}

export function drawPlan(seed: number, moves: readonly string[]): Plan {
  const random = randomFrom(seed);
  // The first numbers of neighbouring seeds are alike.
  for (let skip = 0; skip < 3; skip++) random.next();
  const resendMs = random.pick([12_000, 120_000]);
  const readers = random.pick([1 / 64, 1 / 16, 1]);
  const limits = {
    MAX_RECORD_CHARS: random.pick([4_000, 60_000]),
    SNAPSHOT_EVERY_FRAMES: random.pick([3, 10, 50, 512]),
    SNAPSHOT_EVERY_CHARS: random.pick([3_000, 1024 * 1024]),
    MAX_LOG_EVENTS: random.pick([10, 100, 20_000]),
    MAX_LOG_BYTES: random.pick([6_000, 8 * 1024 * 1024]),
    MAX_OPERATIONS: random.pick([30, 200_000, 200_000]),
    RESEND_MS: resendMs,
    LONGEST_LOOK_MS: resendMs / 16,
    SEEN_EVERY_BYTES: Math.floor(256 * 1024 * readers),
    LAGGING_BYTES: Math.floor(320 * 1024 * readers),
    PAUSE_BYTES: Math.floor(512 * 1024 * readers),
    MAX_UNPROVEN_BYTES: Math.floor(1024 * 1024 * readers),
    UNREAD_BUCKET_BYTES: Math.floor(8 * 1024 * readers),
    MAX_LISTED_MEMBERS: random.pick([2, 200]),
    MAX_CONNECTIONS_PER_MEMBER: random.pick([2, 256]),
    MAX_EARLY: random.pick([2, 50]),
    MAX_REJECTIONS: random.pick([5, 1_000]),
  };
  const plan: Plan = {
    seed,
    settings: drawRoomSettings(random),
    limits,
    weights: Object.fromEntries(moves.map((move) => [move, random.pick([0, 0.3, 1, 1, 1, 4])])),
    rooms: random.pick([1, 1, 2]),
    people: random.pick([2, 3, 5, 8]),
    pages: random.pick([0, 0.5, 0.5, 1]),
    abandonsInPlace: random.below(3) === 0,
    answersPings: random.below(2) === 0,
    netMs: random.pick([0, 5, 40, 400]),
    diskMs: random.pick([0, 0, 3, 30, 300]),
    noticeMs: random.pick([0, 500, 10_000]),
    timersLateMs: random.pick([0, 5, 200]),
    alarmsLateMs: random.pick([0, 50, 60_000]),
    skewMs: random.pick([0, 0, 50, Math.floor(resendMs / 12)]),
    mostUnread: 2 * limits.PAUSE_BYTES + 2 * limits.MAX_RECORD_CHARS,
    mostUnproven: limits.MAX_UNPROVEN_BYTES,
    hasGuests: random.below(2) === 0,
  };
  const stepMs = random.pick([0, 0, 90_000, 2 * 86_400_000]);
  // Bans, mutes and holds end at a time of day, which a clock that steps by days passes at once.
  const weights = stepMs === 0 ? plan.weights : { ...plan.weights, ...without(moves, /\bban|moderate/) };
  return { ...plan, weights, stepMs };
}

function without(moves: readonly string[], which: RegExp): Record<string, number> {
  return Object.fromEntries(moves.filter((move) => which.test(move)).map((move) => [move, 0]));
}

function drawRoomSettings(random: Random): RoomSettings {
  return {
    ...settings,
    idleMs: random.pick([60_000, 120_000, 300_000]),
    recoveryMs: random.pick([3_000, 20_000, 120_000]),
    leaveGraceMs: random.pick([0, 1_000, 5_000]),
    maxUsers: random.pick([2, 1_000, 1_000]),
    actionRate: random.pick([null, null, { count: 10, perMs: 1_000 }]),
    rules: random.pick([
      { "chat.say": null },
      { "chat.say": { count: 3, perMs: 10_000 } },
      { "chat.say": { count: 1, perMs: 700 }, "lab.add": { count: 5, perMs: 60_000 } },
    ]),
  };
}
