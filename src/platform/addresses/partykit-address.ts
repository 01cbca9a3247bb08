import type * as Party from "partykit/server";
import { closeCodes } from "../../protocol/codes";
import { dress } from "../edge/answer-headers";
import { refusalResponse, refuseHttp } from "../edge/http-refusal";
import { refuseSocket } from "../edge/refusal";
import type { AskAddress } from "./address-desk";
import { objectName } from "./address-hash";
import { AddressObject } from "./address-object";
import type { AddressAnswer, AddressAsk } from "./address-windows";

/** What partykit.json calls this party. */
export const ADDRESS_PARTY = "address";

const NOT_HERE = "There is nothing at this address.";

/**
 * A few objects, each with the windows of many addresses, as a party: PartyKit gives objects in no other way. What comes from outside
 * is turned away before it reaches one; what our own edge asks goes to the object itself, past that.
 */
export function addressParty(): Party.Worker {
  return class AddressRoom implements Party.Server {
    readonly #address: AddressObject;

    static onBeforeConnect(): Response {
      return refuseSocket(closeCodes.notFound, NOT_HERE);
    }

    static onBeforeRequest(request: Party.Request): Response {
      const isSecure = new URL(request.url).protocol === "https:";
      return dress(refusalResponse(refuseHttp(404, "not_found", NOT_HERE)), { isSecure });
    }

    constructor(room: Party.Room) {
      this.#address = new AddressObject(room.storage, (work) => room.blockConcurrencyWhile(work));
    }

    async onRequest(request: Party.Request): Promise<Response> {
      const ask = (await request.json()) as AddressAsk;
      return Response.json(await this.#address.ask(ask, Date.now()));
    }

    onAlarm(): Promise<void> {
      return this.#address.alarm(Date.now());
    }
  };
}

/** `undefined` in a project that has no such party. */
export function askAddressOf(parties: Party.Context["parties"]): AskAddress | undefined {
  const party = parties[ADDRESS_PARTY];
  if (!party) return undefined;
  return async (address, ask) => {
    const answer = await party.get(objectName(address)).fetch({ method: "POST", body: JSON.stringify(ask) });
    if (answer.status !== 200) throw new Error(`An address answered ${answer.status}.`);
    return (await answer.json()) as AddressAnswer;
  };
}
