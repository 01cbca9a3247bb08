import { DurableObject } from "cloudflare:workers";
import type { IpLimitRequest, IpLimitResult } from "../edge/ip-limits/ip-windows";
import { IpWindowsStore } from "../edge/ip-limits/ip-windows-store";

/** A few objects, each with the windows of many addresses. Only a binding reaches them, no request from outside. */
export class IpLimitsObject extends DurableObject {
  readonly #store = new IpWindowsStore(this.ctx.storage, (work) => this.ctx.blockConcurrencyWhile(work));

  check(request: IpLimitRequest): Promise<IpLimitResult> {
    return this.#store.check(request, Date.now());
  }

  override alarm(): Promise<void> {
    return this.#store.alarm(Date.now());
  }
}
