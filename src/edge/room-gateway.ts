import { callSecretsOf, type Environment } from "../config/config";
import { formatRoomRef } from "../lib/room-ref";
import { closeCodes, type Role } from "../protocol/codes";
import type { CheckBans, EdgeContext } from "./edge-context";
import { rejectSocketWith, toHttpRejection } from "./edge-rejection";
import { forwardSocket } from "./forward";
import { forwardCall } from "./forwarded-call";
import { rejectHttp, rejectionResponse } from "./http/http-rejection";
import { INTERNAL, MISCONFIGURED_RETRY_MS } from "./messages";
import { checkNewRoom } from "./new-room";
import { authorizeCall, type RoomCall } from "./room-call";
import { authorizeSocket } from "./room-socket";
import { authorizeServiceMessage, isServiceMessage } from "./signed-calls/service-message";
import { rejectSocket } from "./socket-rejection";

/**
 * Authorizes requests to rooms before any room is touched, so that a rejection wakes no room. An admitted request becomes one of
 * our own making, to be forwarded to the room; a rejected one becomes its response. No method throws.
 */
export class RoomGateway {
  constructor(
    private readonly env: Environment,
    /** Or the problem of the configuration, which is then the answer to every request. */
    private readonly context: EdgeContext | string,
    private readonly lookUpBans: CheckBans | undefined,
  ) {}

  /** Admits a socket. A rejected socket is accepted and closed, because a browser reads the reason from nothing else. */
  async admitSocket(request: Request): Promise<Request | Response> {
    if (typeof this.context === "string") {
      return rejectSocket(closeCodes.draining, this.context, MISCONFIGURED_RETRY_MS);
    }
    try {
      const admitted = await authorizeSocket(request, this.context, Date.now());
      if (!admitted.ok) return rejectSocket(admitted.closeCode, admitted.reason, admitted.retryAfterMs);
      const { kind, id, ticket } = admitted;
      const { close, checkedAt } = await this.#checkBans(ticket, formatRoomRef(admitted));
      if (close) return rejectSocket(close.closeCode, close.reason);
      return forwardSocket(
        kind,
        id,
        checkedAt === undefined ? ticket : { ...ticket, bansCheckedAt: checkedAt },
      );
    } catch (error) {
      console.error("A socket could not be authorized:", error);
      return rejectSocket(closeCodes.draining, INTERNAL, MISCONFIGURED_RETRY_MS);
    }
  }

  /** Admits an HTTP request to a room. */
  async admitCall(request: Request): Promise<Request | Response> {
    const { context } = this;
    if (typeof context === "string") return rejectionResponse(rejectHttp(503, "unavailable", context));
    try {
      const now = Date.now();
      if (isServiceMessage(request)) {
        const authorized = await authorizeServiceMessage(
          request,
          callSecretsOf(this.env),
          context.kinds,
          now,
        );
        return authorized.ok ? authorized.forwarded : rejectionResponse(authorized);
      }
      const admitted = await authorizeCall(request, context, now);
      if (!admitted.ok) return rejectionResponse(admitted);
      if (admitted.method === "GET") return forwardCall(await this.#withoutBannedList(admitted));
      const { caller } = admitted;
      // No ban is looked up for an admin of the deployment (see `Gateway.authorizeAdmin`).
      if (admitted.method === "DRAIN" && caller.allRooms) return forwardCall(admitted);
      const { close, checkedAt } = await this.#checkBans(caller, formatRoomRef(admitted));
      if (close) return rejectionResponse(rejectHttp(403, "not_allowed", close.reason));
      return forwardCall({
        ...admitted,
        caller: checkedAt === undefined ? caller : { ...caller, bansCheckedAt: checkedAt },
      });
    } catch (error) {
      console.error("A request could not be answered:", error);
      return rejectionResponse(rejectHttp(500, "internal", INTERNAL));
    }
  }

  /**
   * Whether a forwarded request may open a room that does not exist, for a platform that can tell only here. Returns the rejection
   * if it may not.
   */
  async checkNewRoom(forwarded: Request, exists: () => Promise<boolean>): Promise<Response | undefined> {
    const { context } = this;
    if (typeof context === "string" || !context.config.limits.newRoom) return undefined;
    const isSocket = forwarded.headers.has("Upgrade");
    if (!isSocket && forwarded.method !== "POST") return undefined;
    try {
      const rejection = (await exists()) ? undefined : await checkNewRoom(forwarded, context.ipLimiter);
      if (!rejection) return undefined;
      return isSocket ? rejectSocketWith(rejection) : rejectionResponse(toHttpRejection(rejection));
    } catch (error) {
      // Admitted, as whenever the limits of an address cannot be checked.
      console.error("The limit on new rooms could not be checked:", error);
      return undefined;
    }
  }

  /** A banned user may look at a room as anyone may, but is not shown its members. */
  async #withoutBannedList(call: Extract<RoomCall, { method: "GET" }>): Promise<RoomCall> {
    const { list, ...plain } = call;
    if (!list) return plain;
    const { close, checkedAt } = await this.#checkBans(list.caller, formatRoomRef(call));
    if (close) return plain;
    const caller = checkedAt === undefined ? list.caller : { ...list.caller, bansCheckedAt: checkedAt };
    return { ...plain, list: { ...list, caller } };
  }

  async #checkBans({ user, role }: { user: string; role: Role }, room: string) {
    return (await this.lookUpBans?.(user, room, Date.now(), role)) ?? {};
  }
}
