import { DurableObject } from "cloudflare:workers";
import { objectName } from "./ip-hash";
import type { IpLimitsCall } from "./ip-limiter";
import type { IpLimitRequest, IpLimitResult } from "./ip-windows";
import { IpWindowsStore } from "./ip-windows-store";

/** A few objects, each with the windows of many addresses. Only a binding reaches it: nothing from outside does. */
export class IpLimitsObject extends DurableObject {
  readonly #store = new IpWindowsStore(this.ctx.storage, (work) => this.ctx.blockConcurrencyWhile(work));

  check(request: IpLimitRequest): Promise<IpLimitResult> {
    return this.#store.check(request, Date.now());
  }

  override alarm(): Promise<void> {
    return this.#store.alarm(Date.now());
  }
}

/** Nothing in a worker without that binding: the limits of addresses are off there. */
export function createIpLimitsCall(
  namespace: DurableObjectNamespace<IpLimitsObject> | undefined,
): IpLimitsCall | undefined {
  return namespace && ((ipHash, request) => namespace.getByName(objectName(ipHash)).check(request));
}

/** As Cloudflare saw the client. Whatever a client wrote there itself is overwritten by it; other headers are a stranger's word. */
export function readCloudflareIp({ headers }: Request): string | undefined {
  return headers.get("CF-Connecting-IP") ?? undefined;
}
