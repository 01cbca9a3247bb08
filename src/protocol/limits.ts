/**
 * Every cap of the wire and of the room, each with its reason. What a deployment may change stands in
 * `platform/config.ts`; what a kind may change stands with the kind.
 */

// ---- the wire

/** A message from a client: room for 500 four-byte characters of chat, escaped, with its envelope. */
export const MAX_MESSAGE_BYTES = 16_384;
/** An address: a token signed with a large RSA key fits in a quarter of it. */
export const MAX_ADDRESS_CHARS = 8_192;
/** Deeper JSON than this is nobody's data, and every later walk over it recurses. */
export const MAX_DEPTH = 32;
export const MAX_OP_ID_CHARS = 64;
export const MAX_USER_CHARS = 128;
export const MAX_NAME_CHARS = 40;
/** What is told of a refused message: enough to mend it, not enough to echo an attack. */
export const MAX_ISSUES = 5;

/** A client pings at this pace … */
export const PING_MS = 20_000;
/** … and one that has pinged and then missed two pings is gone. */
export const SILENT_MS = 45_000;
/** A client tells what it has read at least every so many bytes. */
export const SEEN_EVERY_BYTES = 256 * 1024;

// ---- the room's memory

/** PartyKit refuses a value over 131,072 bytes and a string may cost two bytes a character: 120,000 and some overhead. */
export const MAX_RECORD_CHARS = 60_000;
/** Frames between snapshots: what a restore has to fold at most, besides the snapshot. */
export const SNAPSHOT_EVERY_FRAMES = 512;
export const SNAPSHOT_EVERY_CHARS = 1024 * 1024;
/** What recovery may keep: a tenth of an object's 128 MB, shared by every room in its process. */
export const MAX_LOG_EVENTS = 20_000;
export const MAX_LOG_BYTES = 8 * 1024 * 1024;
/** Accepted operation ids are kept this long; a client resends within half of it. */
export const RESEND_MS = 120_000;
/** A look at the clock ages accepted ids by so much at most: a clock that steps ahead costs them a sixteenth of their time, of which a client needs half. */
export const LONGEST_LOOK_MS = 7_500;
/** About 25 MB of ids; past it a new action is refused with `unavailable`, for forgetting one early could do an action twice. */
export const MAX_OPERATIONS = 200_000;
/**
 * A user may hold this many ids for each one that is still free: 133,333 of 200,000 alone, which is more than the 120,000 that
 * `scores.award` allows in `RESEND_MS`; 80,000 each if two do, with 40,000 left for everybody else.
 */
export const OPERATIONS_PER_FREE = 2;

// ---- the room's pace

/** The shortest frame: a timer of 1 ms comes after 1–2 ms and costs as much as one of 5. */
export const MIN_FRAME_MS = 5;
/** The longest that a calm room waits: below what a person notices in chat. */
export const MAX_FRAME_MS = 100;
/** Sending costs 30–40 µs a peer: so much a peer leaves a third of the room's time for all else. */
export const FRAME_MS_PER_PEER = 0.072;
/** A room that falls behind slows its frames up to here and no further. */
export const MAX_STRETCHED_FRAME_MS = 250;

// ---- readers

/** Unread beyond this, a reader gets no signals: more than one `seen` interval, so that a healthy reader never crosses it. */
export const LAGGING_BYTES = 320 * 1024;
/** Unread beyond this, a reader is paused: 200 of them hold 100 MB of the runtime's buffers, and no more. */
export const PAUSE_BYTES = 512 * 1024;
/**
 * What clients of before marks may be sent, all sockets of a user together, of which nobody has proof that it was read: as much as
 * recovery keeps, so that who is closed for it comes back without a gap.
 */
export const MAX_UNPROVEN_BYTES = 8 * 1024 * 1024;
/** As much is added to what they may be sent in so long: a busy talk sends less. */
export const UNPROVEN_REFILL_MS = 300_000;
/** However long they stay: one user's sockets never hold more than this many times `MAX_UNPROVEN_BYTES` that was not read. */
export const MAX_UNPROVEN_REFILLS = 8;
/**
 * What all guests of one origin (an IPv4 address, a /48) may be sent so, in times of `MAX_UNPROVEN_BYTES`: as much as four users with
 * a token, because a guest costs nothing.
 */
export const UNPROVEN_ORIGIN_SHARES = 4;
/** And a whole room: 64 MiB, half of the memory of its process, should none of it be read. */
export const UNPROVEN_ROOM_SHARES = 8;
/** Users and origins whose share is remembered: each spent more than `PAUSE_BYTES`, of which a room has 128 in a refill. */
export const MAX_UNPROVEN_ORIGINS = 1_000;
/** How long a client of before stays away once it was sent all that: it reads, most likely, and comes back without a gap. */
export const UNPROVEN_RETRY_MS = 1_000;
/** Of 32 bits: who guesses one has 1,000 tries in 10 s. */
export const MARK_CHARS = 8;
/** Answers to a reader are counted in heaps of so much: a heap is read as a whole, and its reader may leave a hundred of them unread. */
export const UNREAD_BUCKET_BYTES = 8 * 1024;
/** A paused reader that has read nothing for so long is closed. */
export const PAUSED_MS = 30_000;
/** How long someone whose reading or speaking was cut off stays away, and up to twice that. */
export const SLOW_RETRY_MS = 5_000;
/** A crowd that is sent away comes back so fast: a room takes some 500 joins a second, and has its work to do besides. */
export const RETRY_MS_PER_PEER = 5;
/** A drained room lets nobody in for so long: time for its batch to be answered, and for a release to take its place. */
export const DRAIN_MS = 10_000;
/** However large the crowd: well within the grace after a restart, with time for a second try. */
export const MAX_RETRY_MS = 10_000;

// ---- members

/** Shared state lists so many members and counts the rest: a list that travels in every welcome. */
export const MAX_LISTED_MEMBERS = 200;
/** After a restart: partysocket's longest pause is 10 s, and a server may take as long to come back. */
export const RESTART_GRACE_MS = 30_000;
/** A grace that ended longer ago than this ended while the room was down: alarms ring later than that only where nobody is. */
export const OVERDUE_MS = 5_000;
/** Full: somebody's grace may end before this. Told as this and up to twice that, so that who waits does not knock together. */
export const FULL_RETRY_MS = 10_000;
/** Hosts and admins that a full room still lets in: more than lead any show, and a bound should their tokens be handed out. */
export const MAX_LEADERS_PAST_FULL = 50;
/** A full room asks sockets that never pinged and have said nothing for this long. Asking makes them reconnect, so it is seldom. */
export const UNHEARD_MS = 300_000;
/** Members it asks at once: they are back within a fraction of a second, and a hall of ghosts is gone within minutes. */
export const MAX_ASKED_AT_ONCE = 32;
/** Members on one page of a host's list: a full room of the default size, some 150 KB. */
export const MAX_MEMBERS_A_PAGE = 1_000;
/** A member's open sockets: more than anybody has tabs, and few enough that one member is not a crowd. */
export const MAX_CONNECTIONS_PER_MEMBER = 256;

// ---- nonsense

/** Refusals a user may earn in `OFFENCE_MS` before they are closed, over all their sockets: a broken client is told many times, a flood is not served. */
export const MAX_REJECTIONS = 1_000;
/** What may be said before one's welcome is out: some actions on opening. */
export const MAX_EARLY = 50;
export const REJECTIONS_MS = 10_000;
/** A refused signal is told about at most so often. */
export const SIGNAL_NACK_MS = 1_000;

// ---- points

/** 2^53 − 1: past it a whole number is no longer exact in JSON. */
export const MAX_POINTS = 9_007_199_254_740_991;
/** The end of the year 9999: later times are nobody's, and calendars stop reckoning. */
export const MAX_TIME_MS = 253_402_300_799_999;
/** Entries in a batch: every player of a full room on one board, and ten times that in rooms of the usual size. */
export const MAX_BATCH_ENTRIES = 10_000;
/** A batch's text. It travels as one parameter of a statement, and D1 refuses one of 2 MB. */
export const MAX_BATCH_BYTES = 1_500_000;
