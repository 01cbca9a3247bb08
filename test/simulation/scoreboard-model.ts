import type { PrivateState } from "../../src/features/scores/private-state";
import { standings } from "../../src/features/scores/private-state";
import type { Batch, BatchAnswer, BatchEntry } from "../../src/protocol/batch";
import type { Json } from "../../src/protocol/messages";
import { BoardModel } from "../support/board-model";
import type { BanModel } from "./ban-model";
import type { SimulatedDatabase } from "./database";
import type { Deployment } from "./deployment";
import { boards } from "./kinds";

const DAY_MS = 86_400_000;
/** 21 September 2026, when every scenario begins, is a Monday. */
const A_MONDAY = Date.UTC(2026, 8, 21);

/** A plain model of the database: each batch once, without players who were banned by then. */
export class ScoreboardModel {
  readonly #receipts = new Map<string, { n: number; refused: string[] }>();
  readonly #rankings = new Map<string, BoardModel>();
  /** Epochs of rooms: whether their batches say that a guest opened them. */
  readonly #ofGuests = new Map<string, boolean>();
  /** On the board `main` of the kind. */
  #onKind = 0;
  /** By (board, user): what was counted, and what was refused for a ban. */
  readonly #counted = new Map<string, number>();
  readonly #forfeited = new Map<string, number>();

  constructor(
    private readonly deployment: Deployment,
    private readonly database: SimulatedDatabase,
    private readonly bans: BanModel,
  ) {}

  /** A batch was handed to the worker, however often; this is its answer. */
  checkBatch(ask: Json, answered: Json, isGhost: boolean): void {
    const batch = ask as unknown as Batch;
    const answer = answered as unknown as BatchAnswer;
    const key = `${batch.room}\0${batch.epoch}`;
    const receipt = this.#receipts.get(key) ?? { n: 0, refused: [] };
    const { n } = batch;
    const life = this.deployment.objects.flatMap(({ truth }) => truth.epochs.get(batch.epoch) ?? [])[0];
    const sealed = life?.privateStates.get("scores") as PrivateState | undefined;
    if (!sealed || sealed.n < n)
      this.deployment.reportBreach(2, `batch ${n} of ${batch.room} was sent, and durable are ${sealed?.n}`);
    const ownOnly = batch.ownOnly === true;
    if (life && life.openedByGuest !== ownOnly)
      this.#reportBreach(
        `batch ${n} of ${batch.room} says ${ownOnly} of a guest, and it is ${life.openedByGuest}`,
      );
    if ((this.#ofGuests.get(key) ?? ownOnly) !== ownOnly)
      this.#reportBreach(`batch ${n} of ${batch.room} is of another's room than those before it`);
    this.#ofGuests.set(key, ownOnly);
    if (n === receipt.n + 1) {
      const refused = this.#applyBatch(batch);
      this.#receipts.set(key, { n, refused });
      if (!answer.applied)
        return this.#reportBreach(`batch ${n} of ${batch.room} was ${answer.reason}, and is due`);
      this.#checkRejected(answer.refused, refused);
    } else if (answer.applied)
      this.#reportBreach(`batch ${n} of ${batch.room} was applied after ${receipt.n}`);
    else if (n === receipt.n) {
      if (answer.reason !== "duplicate") return this.#reportBreach(`batch ${n} again is a ${answer.reason}`);
      this.#checkRejected(answer.refused, receipt.refused);
    } else if (!isGhost) this.#reportBreach(`batch ${n} of ${batch.room} comes after ${receipt.n}`);
    this.#checkSums();
  }

  /** All that rooms gave is counted or forfeited, once, and every ranking is what the plain rules make of it. */
  checkEnded(): void {
    const expected = this.#sumExpected();
    for (const key of new Set([...expected.keys(), ...this.#counted.keys(), ...this.#forfeited.keys()])) {
      const settled = (this.#counted.get(key) ?? 0) + (this.#forfeited.get(key) ?? 0);
      if (settled !== (expected.get(key) ?? 0))
        this.#reportBreach(`${key} has ${settled} in batches, and was given ${expected.get(key) ?? 0}`);
    }
    for (const [key, model] of this.#rankings) this.#checkRanking(key, model);
    const wrong = this.database.rows(WRONG_SPANS);
    if (wrong.length > 0) this.#reportBreach(`a span is miscounted: ${JSON.stringify(wrong[0])}`);
  }

  /** Only of the boards that add up: on the others an entry is a game, not a sum. */
  #sumExpected(): Map<string, number> {
    const expected = new Map<string, number>();
    for (const { truth } of this.deployment.objects) {
      for (const { privateStates: state } of truth.epochs.values()) {
        const { standings: all } = state.get("scores") as PrivateState;
        for (const { board, user, total } of standings.rows(all)) {
          if (boards[board as keyof typeof boards].combine !== "sum") continue;
          addTo(expected, `${board} of ${user}`, total);
        }
      }
    }
    return expected;
  }

  #applyBatch({ room, entries, ownOnly }: Batch): string[] {
    const now = Math.floor(this.deployment.clock.now);
    const isBanned = ({ user }: BatchEntry) => this.bans.isBanned(user, room, now);
    for (const entry of entries) {
      const key = `${entry.board} of ${entry.user}`;
      if (boards[entry.board as keyof typeof boards].combine === "sum")
        addTo(isBanned(entry) ? this.#forfeited : this.#counted, key, entry.points);
    }
    const taken = entries.filter((entry) => !isBanned(entry));
    if (!ownOnly) for (const { board, points } of taken) if (board === "main") this.#onKind += points;
    for (const [name, board] of Object.entries(boards)) {
      const theirs = taken.filter((entry) => entry.board === name);
      const own = "feeds" in board ? [] : [`${name}:${room.slice(room.indexOf("/") + 1)}`];
      const fed = ownOnly ? own : [name, ...own];
      for (const period of board.periods) {
        const byPeriod = new Map<string, BatchEntry[]>();
        for (const entry of theirs) {
          const key = toPeriodKey(period, entry.firstAt);
          byPeriod.set(key, [...(byPeriod.get(key) ?? []), entry]);
        }
        for (const [key, some] of byPeriod)
          for (const one of fed) this.#getRanking(name, one, key).apply(some);
      }
    }
    return [...new Set(entries.filter(isBanned).map(({ user }) => user))];
  }

  #getRanking(name: string, board: string, period: string): BoardModel {
    const key = `${board}\0${period}`;
    const ranking = this.#rankings.get(key) ?? new BoardModel(boards[name as keyof typeof boards]);
    this.#rankings.set(key, ranking);
    return ranking;
  }

  #checkRejected(answered: readonly string[], meant: readonly string[]): void {
    if ([...answered].sort().join("\0") !== [...meant].sort().join("\0"))
      this.#reportBreach(`${JSON.stringify(answered)} are reported as banned; ${JSON.stringify(meant)} are`);
  }

  #checkSums(): void {
    const [row] = this.database.rows(
      "select coalesce(sum(-score), 0) as points from scores join rankings on id = ranking where board = 'main' and period = 'all'",
    );
    if (Number(row?.points) !== this.#onKind)
      this.#reportBreach(`the board holds ${row?.points} points, and was given ${this.#onKind}`);
  }

  #checkRanking(key: string, model: BoardModel): void {
    const [board = "", period = ""] = key.split("\0");
    const { order, tie } = model.rules;
    const stored = this.database
      .rows(
        `select user, score, s.tie as tie, reached_at, reached_seq from scores s join rankings r on r.id = s.ranking
         where r.board = '${board}' and r.period = '${period}' order by score, s.tie, reached_at, reached_seq, user`,
      )
      .map(({ user, score, tie: second, reached_at, reached_seq }) => [
        user,
        (order === "lowest" ? 1 : -1) * Number(score) + 0,
        (tie === undefined ? 0 : tie === "lowest" ? 1 : -1) * Number(second) + 0,
        reached_at,
        reached_seq,
      ]);
    const meant = model
      .ranking()
      .map((row) => [row.user, row.points, row.tie, row.reachedAt, row.reachedSeq]);
    if (JSON.stringify(stored) !== JSON.stringify(meant))
      this.#reportBreach(
        `${board} of ${period} is ${JSON.stringify(stored)}, and should be ${JSON.stringify(meant)}`,
      );
  }

  #reportBreach(what: string): void {
    this.deployment.reportBreach(20, what);
  }
}

function addTo(sums: Map<string, number>, key: string, points: number): void {
  sums.set(key, (sums.get(key) ?? 0) + points);
}

function toPeriodKey(period: "all" | "day" | "week", at: number): string {
  if (period === "all") return period;
  const from = period === "day" ? at : at - ((((at - A_MONDAY) % (7 * DAY_MS)) + 7 * DAY_MS) % (7 * DAY_MS));
  return `${period}:${new Date(from).toISOString().slice(0, 10)}`;
}

const WRONG_SPANS = `
with bounded as (
  select *, lead(score) over o as score2, lead(tie) over o as tie2, lead(reached_at) over o as at2,
    lead(reached_seq) over o as seq2, lead(user) over o as user2
  from spans window o as (partition by ranking order by score, tie, reached_at, reached_seq, user)
)
select b.ranking, b.players, (
  select count(*) from scores s where s.ranking = b.ranking
    and (s.score, s.tie, s.reached_at, s.reached_seq, s.user) >= (b.score, b.tie, b.reached_at, b.reached_seq, b.user)
    and (s.score, s.tie, s.reached_at, s.reached_seq, s.user) < (b.score2, b.tie2, b.at2, b.seq2, b.user2)
) as counted from bounded b where score2 is not null and counted <> players limit 1`;
