import { DurableObject } from "cloudflare:workers";
import type { AskAddress } from "./address-desk";
import { objectName } from "./address-hash";
import { AddressObject } from "./address-object";
import type { AddressAnswer, AddressAsk } from "./address-windows";

/** A few objects, each with the windows of many addresses. Only a binding reaches it: nothing from outside does. */
export class Addresses extends DurableObject {
  readonly #address = new AddressObject(this.ctx.storage, (work) => this.ctx.blockConcurrencyWhile(work));

  ask(ask: AddressAsk): Promise<AddressAnswer> {
    return this.#address.ask(ask, Date.now());
  }

  override alarm(): Promise<void> {
    return this.#address.alarm(Date.now());
  }
}

/** Nothing in a worker without that binding: the limits of addresses are off there. */
export function askAddressOf(
  namespace: DurableObjectNamespace<Addresses> | undefined,
): AskAddress | undefined {
  return namespace && ((address, ask) => namespace.getByName(objectName(address)).ask(ask));
}

/** As Cloudflare saw the client. Whatever a client wrote there itself is overwritten by it; other headers are a stranger's word. */
export function cloudflareAddress({ headers }: Request): string | undefined {
  return headers.get("CF-Connecting-IP") ?? undefined;
}
