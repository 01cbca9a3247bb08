import type * as Party from "partykit/server";
import { withHeaders } from "../edge/cors";
import { rejectHttp, rejectionResponse } from "../edge/http/http-rejection";
import { objectName } from "../edge/ip-limits/ip-hash";
import type { IpLimitsCall } from "../edge/ip-limits/ip-limiter";
import type { IpLimitRequest, IpLimitResult } from "../edge/ip-limits/ip-windows";
import { IpWindowsStore } from "../edge/ip-limits/ip-windows-store";
import { rejectSocket } from "../edge/socket-rejection";
import { closeCodes } from "../protocol/codes";

/** The name of this party in partykit.json. */
export const IP_LIMITS_PARTY = "address";

const NOT_HERE = "There is nothing at this address.";

/**
 * A few objects, each with the windows of many addresses. They are a party because PartyKit has objects in no other form. Requests
 * from outside are rejected before they reach an object; our own edge calls the objects directly.
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

/** `undefined` if the project has no such party. */
export function createIpLimitsCall(parties: Party.Context["parties"]): IpLimitsCall | undefined {
  const party = parties[IP_LIMITS_PARTY];
  if (!party) return undefined;
  return async (ipHash, request) => {
    const answer = await party
      .get(objectName(ipHash))
      .fetch({ method: "POST", body: JSON.stringify(request) });
    if (answer.status !== 200) throw new Error(`The object of an address answered ${answer.status}.`);
    return (await answer.json()) as IpLimitResult;
  };
}
