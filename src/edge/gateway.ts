import { type Config, type ConfigResult, type Environment, readConfig } from "../config/config";
import { closeCodes } from "../protocol/codes";
import { authorizeAdmin, authorizeSelf } from "./admin";
import { answerPreflight, corsContextOf, withHeaders } from "./cors";
import { createEdgeContext, type EdgeContext, type EdgeOptions, type EdgeState } from "./edge-context";
import { toHttpRejection } from "./edge-rejection";
import { answerGuest } from "./guest-route";
import type { CallerResult } from "./http/admin-route";
import { type HttpRejection, rejectHttp, rejectionResponse } from "./http/http-rejection";
import { INTERNAL } from "./messages";
import { RoomGateway } from "./room-gateway";
import { rejectSocket } from "./socket-rejection";
import { isSocketRequest } from "./socket-request";

/**
 * What every request from outside passes first, on either platform: CORS, admins, limits on reading, guests, and in `rooms` the
 * requests to rooms.
 */
export class Gateway {
  readonly rooms: RoomGateway;
  readonly #config: ConfigResult;
  readonly #context: EdgeContext | undefined;

  constructor(env: Environment, options: EdgeOptions) {
    this.#config = readConfig(env);
    if (this.#config.ok) this.#context = createEdgeContext(this.#config.config, options);
    else for (const problem of this.#config.problems) console.error(problem);
    this.rooms = new RoomGateway(env, this.#context ?? this.#configProblem(), options.checkBans);
  }

  /** The response to a browser's preflight request. */
  answerPreflight(request: Request): Response | undefined {
    return answerPreflight(request, this.#context?.config);
  }

  /** Adds CORS and security headers. Every response to a request from outside needs them. */
  withHeaders(response: Response, request: Request): Response {
    return withHeaders(response, corsContextOf(request, this.#context?.config));
  }

  /** Authorizes an admin of the deployment. */
  async authorizeAdmin(request: Request): Promise<CallerResult> {
    if (!this.#context) return rejectHttp(503, "unavailable", this.#configProblem());
    // No ban is looked up: only another admin could have set it, and could so lock out everyone who can lift it.
    return authorizeAdmin(request, this.#context, Date.now());
  }

  /** Authorizes this user, or an admin of the deployment. */
  async authorizeSelf(request: Request, user: string): Promise<CallerResult> {
    if (!this.#context) return rejectHttp(503, "unavailable", this.#configProblem());
    return authorizeSelf(request, user, this.#context, Date.now());
  }

  /**
   * Whether this address may read once more (`read`), cause one more read of the database (`readMiss`), or open one more live
   * stream (`live`). Returns the rejection if it may not. A `read` is answered from memory and so costs others nothing: it is
   * counted in memory, too.
   */
  async checkReadLimit(
    request: Request,
    rule: "read" | "readMiss" | "live",
  ): Promise<HttpRejection | undefined> {
    if (!this.#context) return rejectHttp(503, "unavailable", this.#configProblem());
    const { ipLimiter } = this.#context;
    const ipHash = await this.#context.ipHashOf(request);
    const rejection =
      rule === "read" ? ipLimiter.consumeLocally(ipHash, rule) : await ipLimiter.consume(ipHash, [{ rule }]);
    return rejection && toHttpRejection(rejection);
  }

  /** Answers what belongs to no room and no service: guests, and addresses that do not exist. */
  async answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/auth/guest") return this.#answerGuest(request);
    if (pathname.startsWith("/parties/") && isSocketRequest(request)) {
      return rejectSocket(closeCodes.notFound, "A room's address is /parties/<kind>/<room>.");
    }
    return rejectionResponse(rejectHttp(404, "not_found", "There is nothing at this address."));
  }

  /** Errors of the configuration, and secrets that it lacks. */
  get problems(): readonly string[] {
    return this.#config.ok ? listMissingSecrets(this.#config.config) : this.#config.problems;
  }

  /** `undefined` while the configuration has an error. */
  get state(): EdgeState | undefined {
    if (!this.#context) return undefined;
    const { verifier, ipLimiter } = this.#context;
    return { ...verifier.state, addresses: ipLimiter.state };
  }

  async #answerGuest(request: Request): Promise<Response> {
    if (!this.#context) return rejectionResponse(rejectHttp(503, "unavailable", this.#configProblem()));
    try {
      return await answerGuest(request, this.#context, Date.now());
    } catch (error) {
      console.error("A request could not be answered:", error);
      return rejectionResponse(rejectHttp(500, "internal", INTERNAL));
    }
  }

  #configProblem(): string {
    return this.#config.ok ? "" : this.#config.problems.join(" ");
  }
}

function listMissingSecrets({ authSecret, jwks, guests }: Config): string[] {
  if (authSecret === undefined && jwks === undefined) {
    return ["AUTH_SECRET is not set, so no user can be identified."];
  }
  return authSecret === undefined && guests ? ["AUTH_SECRET is not set, so no guest can be let in."] : [];
}
