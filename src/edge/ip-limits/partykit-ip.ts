import type * as Party from "partykit/server";
import { closeCodes } from "../../protocol/codes";
import { withHeaders } from "../cors";
import { rejectHttp, rejectionResponse } from "../http/http-rejection";
import { rejectSocket } from "../socket-rejection";
import { objectName } from "./ip-hash";
import type { IpLimitsCall } from "./ip-limiter";
import type { IpLimitRequest, IpLimitResult } from "./ip-windows";
import { IpWindowsStore } from "./ip-windows-store";

/** What partykit.json calls this party. */
export const IP_LIMITS_PARTY = "address";

const NOT_HERE = "There is nothing at this address.";

/**
 * A few objects, each with the windows of many addresses, as a party: PartyKit gives objects in no other way. What comes from outside
 * is turned away before it reaches one; what our own edge asks goes to the object itself, past that.
 */
export function ipLimitsParty(): Party.Worker {
  return class AddressRoom implements Party.Server {
    readonly #store: IpWindowsStore;

    static onBeforeConnect(): Response {
      return rejectSocket(closeCodes.notFound, NOT_HERE);
    }

    static onBeforeRequest(request: Party.Request): Response {
      const isSecure = new URL(request.url).protocol === "https:";
      return withHeaders(rejectionResponse(rejectHttp(404, "not_found", NOT_HERE)), { isSecure });
    }

    constructor(room: Party.Room) {
      this.#store = new IpWindowsStore(room.storage, (work) => room.blockConcurrencyWhile(work));
    }

    async onRequest(request: Party.Request): Promise<Response> {
      const limitRequest = (await request.json()) as IpLimitRequest;
      return Response.json(await this.#store.check(limitRequest, Date.now()));
    }

    onAlarm(): Promise<void> {
      return this.#store.alarm(Date.now());
    }
  };
}

/** `undefined` in a project that has no such party. */
export function createIpLimitsCall(parties: Party.Context["parties"]): IpLimitsCall | undefined {
  const party = parties[IP_LIMITS_PARTY];
  if (!party) return undefined;
  return async (ipHash, request) => {
    const answer = await party
      .get(objectName(ipHash))
      .fetch({ method: "POST", body: JSON.stringify(request) });
    if (answer.status !== 200) throw new Error(`An address answered ${answer.status}.`);
    return (await answer.json()) as IpLimitResult;
  };
}
