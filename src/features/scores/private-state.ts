import type { BatchEntry } from "../../protocol/batch";
import { QUARTER_MS } from "../../protocol/batch";
import type { PrivateEventOf, SliceParts } from "../../room/api/feature";
import { emptyMap, MapOf, type PersistentMap } from "./persistent-map";
import type { scoresSchema } from "./schema";

/** Where one player stands on one board, in this room's life. */
export interface Standing {
  board: string;
  user: string;
  name: string;
  total: number;
  tie: number;
  seq: number;
  /** Their own awards within the last minute: [second, how much], where players may award themselves. */
  own?: readonly (readonly [number, number])[];
}
/** A sealed part of what is owed: from here on the same content under the same number. */
export interface Sealed {
  n: number;
  closing: boolean;
  entries: readonly BatchEntry[];
}
/** What nobody is sent: everybody's totals, and what the room owes to its boards. */
export interface PrivateState {
  standings: PersistentMap<Standing>;
  /** How many players stand on each board. */
  players: Readonly<Record<string, number>>;
  ledger: PersistentMap<BatchEntry>;
  /** By when the ledger has to be on its way; `null` where nothing is owed. */
  flushBy: number | null;
  /** The number of the newest batch. */
  n: number;
  /** What is on its way. */
  sealed: Sealed | null;
  /** The scoreboard was told that this life of the room is over; and it was not, so that it has to be told. */
  isClosed: boolean;
  mustReopen: boolean;
}
export type PrivateStateEvent = PrivateEventOf<(typeof scoresSchema)["privateEvents"]>;

export const standings = new MapOf<Standing>(({ board, user }) => standingKey(board, user));
export const ledger = new MapOf<BatchEntry>(({ board, user, firstAt }) => ledgerKey(board, user, firstAt));

/** Neither boards nor users are named with U+0000. */
export function standingKey(board: string, user: string): string {
  return `${board}\0${user}`;
}

export function ledgerKey(board: string, user: string, at: number): string {
  return `${board}\0${user}\0${Math.floor(at / QUARTER_MS)}`;
}

export function initialPrivate(): PrivateState {
  return {
    standings: emptyMap,
    players: {},
    ledger: emptyMap,
    flushBy: null,
    n: 0,
    sealed: null,
    isClosed: false,
    mustReopen: false,
  };
}

export function reducePrivate(state: PrivateState, event: PrivateStateEvent): PrivateState {
  switch (event.n) {
    case "added":
      return reduceAdded(state, event.d);
    case "named":
      return reduceNamed(state, event.d.user, event.d.name);
    case "flushBy":
      return { ...state, flushBy: event.d.at };
    case "sealed":
      return reduceSealed(state, event.d);
    case "settled":
      return { ...state, sealed: null, isClosed: state.sealed?.closing === true && !state.mustReopen };
    case "renumbered":
      if (!state.sealed) return state;
      return { ...state, n: event.d.n, sealed: { ...state.sealed, n: event.d.n } };
    case "reopened":
      return { ...state, isClosed: false, mustReopen: true };
    default:
      return state;
  }
}

type Added = Extract<PrivateStateEvent, { n: "added" }>["d"];

function reduceAdded(
  hidden: PrivateState,
  { board, user, name, stands, owes, clears, own }: Added,
): PrivateState {
  const next = { ...hidden };
  if (stands || own) {
    const before = standings.find(hidden.standings, standingKey(board, user));
    const { total, tie, seq } = stands ?? before ?? { total: 0, tie: 0, seq: 0 };
    const within = own ?? before?.own;
    const row: Standing = { board, user, name, total, tie, seq, ...(within ? { own: within } : {}) };
    next.standings = standings.put(hidden.standings, row);
    if (!before) next.players = { ...hidden.players, [board]: playersOn(hidden, board) + 1 };
  }
  if (owes) {
    const { tie, ...rest } = owes;
    const entry: BatchEntry = { board, user, name, ...rest, ...(tie === undefined ? {} : { tie }) };
    next.ledger = ledger.put(hidden.ledger, entry);
  }
  if (clears !== undefined) next.ledger = ledger.remove(hidden.ledger, ledgerKey(board, user, clears));
  return next;
}

export function playersOn(hidden: PrivateState, board: string): number {
  return (Object.hasOwn(hidden.players, board) && hidden.players[board]) || 0;
}

function reduceNamed(hidden: PrivateState, user: string, name: string): PrivateState {
  let rows = hidden.standings;
  for (const board of Object.keys(hidden.players)) {
    const row = standings.find(rows, standingKey(board, user));
    if (row) rows = standings.put(rows, { ...row, name });
  }
  return { ...hidden, standings: rows };
}

/** The first so many entries leave the ledger, in the ledger's own order: the event need not name them. */
function reduceSealed(
  hidden: PrivateState,
  { n, count, closing }: { n: number; count: number; closing: boolean },
): PrivateState {
  const { taken: entries, rest } = ledger.take(hidden.ledger, count);
  return {
    ...hidden,
    n,
    sealed: { n, closing, entries },
    isClosed: false,
    mustReopen: false,
    ledger: rest,
    flushBy: rest.size > 0 ? hidden.flushBy : null,
  };
}

/** In storage: buckets of the two tables, and what is on its way. */
export const hiddenParts: SliceParts<PrivateState> = {
  rest: ({ standings: { size }, ledger: { size: owed }, sealed: batch, ...rest }) => ({
    ...rest,
    standings: size,
    ledger: owed,
    sealed: batch && { n: batch.n, closing: batch.closing },
  }),

  *changes(before, now) {
    for (const [bucket, rows] of standings.changes(before?.standings ?? emptyMap, now.standings))
      yield [`${STANDINGS}${bucket}`, rows];
    for (const [bucket, rows] of ledger.changes(before?.ledger ?? emptyMap, now.ledger))
      yield [`${LEDGER}${bucket}`, rows];
    if (before?.sealed?.entries !== now.sealed?.entries) yield [SEALED, now.sealed?.entries];
  },

  join(rest, parts) {
    const stored = rest as StoredHidden;
    const { standings: players, ledger: owed, sealed: batch } = stored;
    const bucketsOf = <T>(table: string) =>
      [...parts]
        .filter(([name]) => name.startsWith(table))
        .map(([name, rows]) => [Number(name.slice(table.length)), rows as readonly T[]] as const);
    return {
      ...stored,
      standings: whole("standings", standings.join(bucketsOf(STANDINGS)), players),
      ledger: whole("entries of the ledger", ledger.join(bucketsOf(LEDGER)), owed),
      sealed: batch && { ...batch, entries: entriesOf(parts) },
    };
  },
};

const STANDINGS = "s";
const LEDGER = "l";
const SEALED = "batch";

type StoredHidden = Omit<PrivateState, "standings" | "ledger" | "sealed"> & {
  standings: number;
  ledger: number;
  sealed: Omit<Sealed, "entries"> | null;
};

/** A table of which rows are missing opens no room: the next snapshot would make the loss final. */
function whole<T>(what: string, table: PersistentMap<T>, size: number): PersistentMap<T> {
  if (table.size !== size) throw new Error(`Storage holds ${table.size} ${what} instead of ${size}.`);
  return table;
}

function entriesOf(parts: ReadonlyMap<string, unknown>): readonly BatchEntry[] {
  const entries = parts.get(SEALED);
  if (entries === undefined) throw new Error("The batch that is on its way is missing from storage.");
  return entries as readonly BatchEntry[];
}
