import { type Config, type ConfigResult, readConfig } from "../config/config";
import { bannedClose } from "../features/moderation/close-reasons";
import { type MetricsState, metricsText } from "../ops/metrics";
import { closeCodes, type Role } from "../protocol/codes";
import { type BanCheck, BanLookup } from "../services/bans/ban-lookup";
import { authorizeAdmin, authorizeSelf, type CallerResult } from "./admin";
import { answerPreflight, corsContextOf, withHeaders } from "./cors";
import { createRequestChecks, type RequestChecks } from "./edge";
import { createEdgeContext, type EdgeContext, type EdgeOptions } from "./edge-context";
import { rejectSocketWith, toHttpRejection } from "./edge-rejection";
import { forwardSocket } from "./forward";
import { forwardCall } from "./forwarded-call";
import { type HttpRejection, rejectHttp, rejectionResponse } from "./http/http-rejection";
import { checkNewRoom } from "./new-room";
import type { RoomCall } from "./room-call";
import { authorizeServiceMessage, isServiceMessage } from "./signed-calls/service-message";
import type { CallSecrets } from "./signed-calls/signed-call";
import { rejectSocket } from "./socket-rejection";
import { isSocketRequest } from "./socket-request";

/** How long whoever comes waits while somebody mends the configuration. */
const MISCONFIGURED_RETRY_MS = 30_000;

/** A platform hands the same variables to every request; reading them costs more than answering from memory does. */
const configByEnv = new WeakMap<object, Config>();

/**
 * What stands before the rooms on either platform: the edge's judgement made into requests that go on and answers that
 * do not. Nothing thrown here reaches a client.
 */
export class Gateway {
  readonly #config: ConfigResult;
  readonly #context: EdgeContext | undefined;
  readonly #checks: RequestChecks | undefined;
  readonly #banLookup: BanLookup | undefined;

  constructor(
    private readonly env: Readonly<Record<string, unknown>>,
    private readonly options: EdgeOptions,
  ) {
    this.#banLookup = options.fetchBans && new BanLookup(options.fetchBans);
    this.#config = readConfig(env);
    if (this.#config.ok) {
      this.#context = createEdgeContext(this.#config.config, options);
      this.#checks = createRequestChecks(this.#context);
    } else for (const problem of this.#config.problems) console.error(problem);
  }

  /** A browser's question before its question, answered without asking anybody. */
  answerPreflight(request: Request): Response | undefined {
    return answerPreflight(request, this.#context?.config);
  }

  /** Every answer to a request from outside leaves with this. */
  withHeaders(response: Response, request: Request): Response {
    return withHeaders(response, corsContextOf(request, this.#context?.config));
  }

  /** A deployment's word on its rooms; the defaults while that makes no sense, so that no alarm is lost for a typing error. */
  static readConfig(env: Readonly<Record<string, unknown>>): Config {
    const cached = configByEnv.get(env);
    if (cached) return cached;
    const parsed = readConfig(env);
    const usable = parsed.ok ? parsed : readConfig({});
    if (!usable.ok) throw new Error(`The defaults make no sense: ${usable.problems.join(" ")}`);
    configByEnv.set(env, usable.config);
    return usable.config;
  }

  /** What calls between our own platforms are signed with, if anything. */
  static readSecrets(env: Readonly<Record<string, unknown>>): CallSecrets | undefined {
    const { batchSecret: current, batchSecretOld: previous } = Gateway.readConfig(env);
    return current === undefined ? undefined : { current, ...(previous === undefined ? {} : { previous }) };
  }

  /** A socket: a request for the room, or the refusal that tells why. */
  async admitSocket(request: Request): Promise<Request | Response> {
    try {
      if (!this.#checks) return rejectSocket(closeCodes.draining, this.#problem(), MISCONFIGURED_RETRY_MS);
      const admitted = await this.#checks.authorizeSocket(request, Date.now());
      if (!admitted.ok) return rejectSocket(admitted.closeCode, admitted.reason, admitted.retryAfterMs);
      const { kind, id, ticket } = admitted;
      const { ban, checkedAt } = await this.#checkBans(ticket, `${kind}/${id}`);
      if (ban) return rejectSocket(closeCodes.notAllowed, bannedClose(ban.scope, ban).reason);
      return forwardSocket(
        kind,
        id,
        checkedAt === undefined ? ticket : { ...ticket, bansCheckedAt: checkedAt },
      );
    } catch (error) {
      console.error("A socket could not be judged:", error);
      return rejectSocket(
        closeCodes.draining,
        "Something went wrong here. It has been noted.",
        MISCONFIGURED_RETRY_MS,
      );
    }
  }

  /** Whether a room that a forwarded request would begin may: for a platform that can tell only here. The refusal, if not. */
  async checkNewRoom(forwarded: Request, exists: () => Promise<boolean>): Promise<Response | undefined> {
    const context = this.#context;
    const isSocket = forwarded.headers.has("Upgrade");
    if (!context?.config.limits.newRoom || (!isSocket && forwarded.method !== "POST")) return undefined;
    try {
      const rejection = (await exists()) ? undefined : await checkNewRoom(forwarded, context.ipLimiter);
      if (!rejection) return undefined;
      return isSocket ? rejectSocketWith(rejection) : rejectionResponse(toHttpRejection(rejection));
    } catch (error) {
      // As with any other answer that cannot be had of an address: it is let through.
      console.error("A new room could not be judged:", error);
      return undefined;
    }
  }

  /** A request to a room. */
  async admitCall(request: Request): Promise<Request | Response> {
    return this.#guard(async (checks) => {
      const now = Date.now();
      if (isServiceMessage(request)) {
        const authorized = await authorizeServiceMessage(
          request,
          Gateway.readSecrets(this.env),
          this.options.kinds,
          now,
        );
        return authorized.ok ? authorized.forwarded : rejectionResponse(authorized);
      }
      const admitted = await checks.authorizeCall(request, now);
      if (!admitted.ok) return rejectionResponse(admitted);
      const { origin } = corsContextOf(request, this.#context?.config);
      if (admitted.method === "GET") return forwardCall(await this.#look(admitted), origin);
      const { caller } = admitted;
      // As with what is asked of the deployment (`admin`).
      if (admitted.method === "DRAIN" && caller.allRooms) return forwardCall(admitted, origin);
      const { ban, checkedAt } = await this.#checkBans(caller, `${admitted.kind}/${admitted.id}`);
      if (ban) return rejectionResponse(rejectHttp(403, "not_allowed", bannedClose(ban.scope, ban).reason));
      return forwardCall(
        { ...admitted, caller: checkedAt === undefined ? caller : { ...caller, bansCheckedAt: checkedAt } },
        origin,
      );
    });
  }

  /** The banned look at a room as anybody does. */
  async #look(call: Extract<RoomCall, { method: "GET" }>): Promise<RoomCall> {
    const { list, ...plain } = call;
    if (!list) return plain;
    const { ban, checkedAt } = await this.#checkBans(list.caller, `${call.kind}/${call.id}`);
    if (ban) return plain;
    const caller = checkedAt === undefined ? list.caller : { ...list.caller, bansCheckedAt: checkedAt };
    return { ...plain, list: { ...list, caller } };
  }

  async #checkBans({ user, role }: { user: string; role: Role }, room: string): Promise<BanCheck> {
    return (await this.#banLookup?.find(user, room, Date.now(), role)) ?? {};
  }

  /** Whoever may administer the deployment, or the refusal. */
  async authorizeAdmin(request: Request): Promise<CallerResult> {
    if (!this.#context) return rejectHttp(503, "unavailable", this.#problem());
    // No ban is asked about: only an equal could have set it, who would lock out everybody that could lift it.
    return authorizeAdmin(request, this.#context, Date.now());
  }

  /** The same, or this user. */
  async authorizeSelf(request: Request, user: string): Promise<CallerResult> {
    if (!this.#context) return rejectHttp(503, "unavailable", this.#problem());
    return authorizeSelf(request, user, this.#context, Date.now());
  }

  /**
   * Whether this address may read once more, or have the database asked once more; the refusal if not. A read that is answered from
   * memory costs nobody else anything: it is counted in memory, too.
   */
  async checkReadLimit(
    request: Request,
    rule: "read" | "readMiss" | "live",
  ): Promise<HttpRejection | undefined> {
    if (!this.#context) return rejectHttp(503, "unavailable", this.#problem());
    const { ipLimiter } = this.#context;
    const ipHash = await this.#context.ipHashOf(request);
    const rejection =
      rule === "read" ? ipLimiter.consumeLocally(ipHash, rule) : await ipLimiter.consume(ipHash, [{ rule }]);
    return rejection && toHttpRejection(rejection);
  }

  /** What is no room's: guests, health, metrics. */
  async answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/health") return this.#health();
    if (pathname === "/metrics") return this.#metrics();
    if (pathname === "/auth/guest") return this.#guard((checks) => checks.answerGuest(request, Date.now()));
    if (pathname.startsWith("/parties/") && isSocketRequest(request)) {
      return rejectSocket(closeCodes.notFound, "A room's address is /parties/<kind>/<room>.");
    }
    return rejectionResponse(rejectHttp(404, "not_found", "There is nothing at this address."));
  }

  /** Answers within seconds whatever is away, and however often somebody asks. */
  async #health(): Promise<Response> {
    const state = await this.#state();
    const problems = this.#config.ok ? listProblems(this.#config.config, state) : this.#config.problems;
    const { aside, ...database } = state?.database ?? {};
    const warnings = aside ? [`Entries that were set aside: ${aside}. \`npm run aside\` lists them.`] : [];
    const details = { ...state, ...(state?.database ? { database, aside } : {}) };
    const status = problems.length === 0 ? 200 : 503;
    return Response.json(
      { ok: problems.length === 0, problems, warnings, ...details },
      { status, headers: { "Cache-Control": "no-store" } },
    );
  }

  async #metrics(): Promise<Response> {
    const state = await this.#state();
    if (!state) return rejectionResponse(rejectHttp(503, "unavailable", this.#problem()));
    return new Response(metricsText(state), {
      headers: { "Content-Type": "text/plain; version=0.0.4; charset=utf-8", "Cache-Control": "no-store" },
    });
  }

  async #state(): Promise<MetricsState | undefined> {
    if (!this.#context) return undefined;
    const database = await this.options.database?.check();
    const { verifier, ipLimiter } = this.#context;
    return { ...verifier.state, addresses: ipLimiter.state, ...(database ? { database } : {}) };
  }

  async #guard<T extends Request | Response>(
    step: (edge: RequestChecks) => Promise<T>,
  ): Promise<T | Response> {
    try {
      if (this.#checks) return await step(this.#checks);
      return rejectionResponse(rejectHttp(503, "unavailable", this.#problem()));
    } catch (error) {
      console.error("A request could not be answered:", error);
      return rejectionResponse(rejectHttp(500, "internal", "Something went wrong here. It has been noted."));
    }
  }

  #problem(): string {
    return this.#config.ok ? "" : this.#config.problems.join(" ");
  }
}

/** What the server cannot do its work without. */
function listProblems({ authSecret, jwks, guests }: Config, state: MetricsState | undefined): string[] {
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
