import { closeCodes } from "../protocol/codes";
import { type Config, type ConfigResult, readConfig } from "./config";
import { type Edge, openEdge } from "./edge";
import { forwardSocket } from "./forward";
import { sendCall } from "./forwarded-call";
import { refusalResponse, refuseHttp } from "./http-refusal";
import { refuseSocket } from "./refusal";

/** How long whoever comes waits while somebody mends the configuration. */
const MISCONFIGURED_RETRY_MS = 30_000;

/**
 * What stands before the rooms on either platform: the edge's judgement made into requests that go on and answers that
 * do not. Nothing thrown here reaches a client.
 */
export class Door {
  readonly #read: ConfigResult;
  readonly #edge: Edge | undefined;

  constructor(env: Readonly<Record<string, unknown>>, kinds: ReadonlySet<string>) {
    this.#read = readConfig(env);
    if (this.#read.ok) this.#edge = openEdge(this.#read.config, kinds);
    else for (const problem of this.#read.problems) console.error(problem);
  }

  /** A deployment's word on its rooms; the defaults while that makes no sense, so that no alarm is lost for a typing error. */
  static config(env: Readonly<Record<string, unknown>>): Config {
    const read = readConfig(env);
    const known = read.ok ? read : readConfig({});
    if (!known.ok) throw new Error(`The defaults make no sense: ${known.problems.join(" ")}`);
    return known.config;
  }

  /** A socket: a request for the room, or the refusal that tells why. */
  async socket(request: Request): Promise<Request | Response> {
    try {
      if (!this.#edge) return refuseSocket(closeCodes.draining, this.#problem(), MISCONFIGURED_RETRY_MS);
      const judged = await this.#edge.socket(request, Date.now());
      if (judged.ok) return forwardSocket(judged.kind, judged.id, judged.hello);
      return refuseSocket(judged.code, judged.reason, judged.retryAfterMs);
    } catch (error) {
      console.error("A socket could not be judged:", error);
      return refuseSocket(
        closeCodes.draining,
        "Something went wrong here. It has been noted.",
        MISCONFIGURED_RETRY_MS,
      );
    }
  }

  /** A request to a room. */
  async call(request: Request): Promise<Request | Response> {
    return this.#answer(async (edge) => {
      const judged = await edge.http(request, Date.now());
      return judged.ok ? sendCall(judged) : refusalResponse(judged);
    });
  }

  /** What is no room's: guests, health. */
  async other(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/health") return this.#health();
    if (pathname === "/auth/guest") return this.#answer((edge) => edge.guest(request, Date.now()));
    if (pathname.startsWith("/parties/") && request.headers.get("Upgrade")) {
      return refuseSocket(closeCodes.notFound, "A room's address is /parties/<kind>/<room>.");
    }
    return refusalResponse(refuseHttp(404, "not_found", "There is nothing at this address."));
  }

  #health(): Response {
    const problems = this.#read.ok ? missing(this.#read.config) : this.#read.problems;
    const status = problems.length === 0 ? 200 : 503;
    return Response.json(
      { ok: problems.length === 0, problems },
      { status, headers: { "Cache-Control": "no-store" } },
    );
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
function missing({ authSecret }: Config): string[] {
  return authSecret === undefined ? ["AUTH_SECRET is not set, so nobody can be told from anybody else."] : [];
}
