import { farewellOf } from "../../features/moderation/farewells";
import { closeCodes, type Role } from "../../protocol/codes";
import { BanBook, type BanVerdict } from "../bans/ban-book";
import type { CallSecrets } from "../calls/signed-call";
import { isWord, judgeWord } from "../calls/word-call";
import { type Config, type ConfigResult, readConfig } from "../config";
import { type MetricsState, metricsText } from "../watch/metrics";
import { type CallerResult, judgeAdmin, judgeSelf } from "./admin-call";
import { answerPreflight, dress, readerOf } from "./answer-headers";
import { asksForSocket } from "./asks-for-socket";
import { asHttpRefusal } from "./denial";
import { type Edge, openEdge } from "./edge";
import { forwardSocket } from "./forward";
import { sendCall } from "./forwarded-call";
import { type Gate, type Grounds, openGate } from "./gate";
import { type HttpRefusal, refusalResponse, refuseHttp } from "./http-refusal";
import { mayBegin } from "./new-room";
import { refuseSocket, refuseSocketFor } from "./refusal";
import type { RoomCall } from "./room-call";

/** How long whoever comes waits while somebody mends the configuration. */
const MISCONFIGURED_RETRY_MS = 30_000;

/** A platform hands the same variables to every request; reading them costs more than answering from memory does. */
const configs = new WeakMap<object, Config>();

/**
 * What stands before the rooms on either platform: the edge's judgement made into requests that go on and answers that
 * do not. Nothing thrown here reaches a client.
 */
export class Door {
  readonly #read: ConfigResult;
  readonly #gate: Gate | undefined;
  readonly #edge: Edge | undefined;
  readonly #bans: BanBook | undefined;

  constructor(
    private readonly env: Readonly<Record<string, unknown>>,
    private readonly grounds: Grounds,
  ) {
    this.#bans = grounds.askBans && new BanBook(grounds.askBans);
    this.#read = readConfig(env);
    if (this.#read.ok) {
      this.#gate = openGate(this.#read.config, grounds);
      this.#edge = openEdge(this.#gate);
    } else for (const problem of this.#read.problems) console.error(problem);
  }

  /** A browser's question before its question, answered without asking anybody. */
  preflight(request: Request): Response | undefined {
    return answerPreflight(request, this.#gate?.config);
  }

  /** Every answer to a request from outside leaves with this. */
  dress(response: Response, request: Request): Response {
    return dress(response, readerOf(request, this.#gate?.config));
  }

  /** A deployment's word on its rooms; the defaults while that makes no sense, so that no alarm is lost for a typing error. */
  static config(env: Readonly<Record<string, unknown>>): Config {
    const held = configs.get(env);
    if (held) return held;
    const read = readConfig(env);
    const known = read.ok ? read : readConfig({});
    if (!known.ok) throw new Error(`The defaults make no sense: ${known.problems.join(" ")}`);
    configs.set(env, known.config);
    return known.config;
  }

  /** What calls between our own platforms are signed with, if anything. */
  static secrets(env: Readonly<Record<string, unknown>>): CallSecrets | undefined {
    const { batchSecret: present, batchSecretOld: old } = Door.config(env);
    return present === undefined ? undefined : { present, ...(old === undefined ? {} : { old }) };
  }

  /** A socket: a request for the room, or the refusal that tells why. */
  async socket(request: Request): Promise<Request | Response> {
    try {
      if (!this.#edge) return refuseSocket(closeCodes.draining, this.#problem(), MISCONFIGURED_RETRY_MS);
      const judged = await this.#edge.socket(request, Date.now());
      if (!judged.ok) return refuseSocket(judged.code, judged.reason, judged.retryAfterMs);
      const { kind, id, hello } = judged;
      const { ban, askedAt } = await this.#verdict(hello, `${kind}/${id}`);
      if (ban) return refuseSocket(closeCodes.notAllowed, farewellOf(ban.scope, ban).reason);
      return forwardSocket(kind, id, askedAt === undefined ? hello : { ...hello, askedAt });
    } catch (error) {
      console.error("A socket could not be judged:", error);
      return refuseSocket(
        closeCodes.draining,
        "Something went wrong here. It has been noted.",
        MISCONFIGURED_RETRY_MS,
      );
    }
  }

  /** Whether a room that a forwarded request would begin may: for a platform that can tell only here. The refusal, if not. */
  async begins(forwarded: Request, exists: () => Promise<boolean>): Promise<Response | undefined> {
    const gate = this.#gate;
    const isSocket = forwarded.headers.has("Upgrade");
    if (!gate?.config.limits.newRoom || (!isSocket && forwarded.method !== "POST")) return undefined;
    try {
      const denial = (await exists()) ? undefined : await mayBegin(forwarded, gate.desk);
      if (!denial) return undefined;
      return isSocket ? refuseSocketFor(denial) : refusalResponse(asHttpRefusal(denial));
    } catch (error) {
      // As with any other answer that cannot be had of an address: it is let through.
      console.error("A new room could not be judged:", error);
      return undefined;
    }
  }

  /** A request to a room. */
  async call(request: Request): Promise<Request | Response> {
    return this.#answer(async (edge) => {
      const now = Date.now();
      if (isWord(request)) {
        const word = await judgeWord(request, Door.secrets(this.env), this.grounds.kinds, now);
        return word.ok ? word.onward : refusalResponse(word);
      }
      const judged = await edge.http(request, now);
      if (!judged.ok) return refusalResponse(judged);
      const { origin } = readerOf(request, this.#gate?.config);
      if (judged.method === "GET") return sendCall(await this.#look(judged), origin);
      const { caller } = judged;
      // As with what is asked of the deployment (`admin`).
      if (judged.method === "DRAIN" && caller.allRooms) return sendCall(judged, origin);
      const { ban, askedAt } = await this.#verdict(caller, `${judged.kind}/${judged.id}`);
      if (ban) return refusalResponse(refuseHttp(403, "not_allowed", farewellOf(ban.scope, ban).reason));
      return sendCall({ ...judged, caller: askedAt === undefined ? caller : { ...caller, askedAt } }, origin);
    });
  }

  /** The banned look at a room as anybody does. */
  async #look(call: Extract<RoomCall, { method: "GET" }>): Promise<RoomCall> {
    const { list, ...plain } = call;
    if (!list) return plain;
    const { ban, askedAt } = await this.#verdict(list.caller, `${call.kind}/${call.id}`);
    if (ban) return plain;
    const caller = askedAt === undefined ? list.caller : { ...list.caller, askedAt };
    return { ...plain, list: { ...list, caller } };
  }

  async #verdict({ user, role }: { user: string; role: Role }, room: string): Promise<BanVerdict> {
    return (await this.#bans?.find(user, room, Date.now(), role)) ?? {};
  }

  /** Whoever may administer the deployment, or the refusal. */
  async admin(request: Request): Promise<CallerResult> {
    if (!this.#gate) return refuseHttp(503, "unavailable", this.#problem());
    // No ban is asked about: only an equal could have set it, who would lock out everybody that could lift it.
    return judgeAdmin(request, this.#gate, Date.now());
  }

  /** The same, or this user. */
  async self(request: Request, user: string): Promise<CallerResult> {
    if (!this.#gate) return refuseHttp(503, "unavailable", this.#problem());
    return judgeSelf(request, user, this.#gate, Date.now());
  }

  /**
   * Whether this address may read once more, or have the database asked once more; the refusal if not. A read that is answered from
   * memory costs nobody else anything: it is counted in memory, too.
   */
  async mayRead(request: Request, rule: "read" | "readMiss" | "live"): Promise<HttpRefusal | undefined> {
    if (!this.#gate) return refuseHttp(503, "unavailable", this.#problem());
    const { desk } = this.#gate;
    const from = await this.#gate.from(request);
    const denial = rule === "read" ? desk.takeHere(from, rule) : await desk.take(from, [{ rule }]);
    return denial && asHttpRefusal(denial);
  }

  /** What is no room's: guests, health, metrics. */
  async other(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/health") return this.#health();
    if (pathname === "/metrics") return this.#metrics();
    if (pathname === "/auth/guest") return this.#answer((edge) => edge.guest(request, Date.now()));
    if (pathname.startsWith("/parties/") && asksForSocket(request)) {
      return refuseSocket(closeCodes.notFound, "A room's address is /parties/<kind>/<room>.");
    }
    return refusalResponse(refuseHttp(404, "not_found", "There is nothing at this address."));
  }

  /** Answers within seconds whatever is away, and however often somebody asks. */
  async #health(): Promise<Response> {
    const state = await this.#state();
    const problems = this.#read.ok ? shortcomings(this.#read.config, state) : this.#read.problems;
    const { aside, ...database } = state?.database ?? {};
    const warnings = aside ? [`Entries that were set aside: ${aside}. \`npm run aside\` lists them.`] : [];
    const told = { ...state, ...(state?.database ? { database, aside } : {}) };
    const status = problems.length === 0 ? 200 : 503;
    return Response.json(
      { ok: problems.length === 0, problems, warnings, ...told },
      { status, headers: { "Cache-Control": "no-store" } },
    );
  }

  async #metrics(): Promise<Response> {
    const state = await this.#state();
    if (!state) return refusalResponse(refuseHttp(503, "unavailable", this.#problem()));
    return new Response(metricsText(state), {
      headers: { "Content-Type": "text/plain; version=0.0.4; charset=utf-8", "Cache-Control": "no-store" },
    });
  }

  async #state(): Promise<MetricsState | undefined> {
    if (!this.#gate) return undefined;
    const database = await this.grounds.database?.state();
    const { verifier, desk } = this.#gate;
    return { ...verifier.state, addresses: desk.state, ...(database ? { database } : {}) };
  }

  async #answer<T extends Request | Response>(step: (edge: Edge) => Promise<T>): Promise<T | Response> {
    try {
      if (this.#edge) return await step(this.#edge);
      return refusalResponse(refuseHttp(503, "unavailable", this.#problem()));
    } catch (error) {
      console.error("A request could not be answered:", error);
      return refusalResponse(refuseHttp(500, "internal", "Something went wrong here. It has been noted."));
    }
  }

  #problem(): string {
    return this.#read.ok ? "" : this.#read.problems.join(" ");
  }
}

/** What the server cannot do its work without. */
function shortcomings({ authSecret, jwks, guests }: Config, state: MetricsState | undefined): string[] {
  const problems: string[] = [];
  if (authSecret === undefined && jwks === undefined) {
    problems.push("AUTH_SECRET is not set, so nobody can be told from anybody else.");
  } else if (authSecret === undefined && guests) {
    problems.push("AUTH_SECRET is not set, so no guest can be let in.");
  }
  // While some are held, the issuer being away keeps nobody out.
  if (state?.keys?.problem !== undefined && state.keys.known === 0) problems.push(state.keys.problem);
  if (state?.database?.ok === false) problems.push(`The database is away: ${state.database.problem}`);
  return problems;
}
