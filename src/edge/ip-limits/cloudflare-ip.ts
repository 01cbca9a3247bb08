import { objectName } from "./ip-hash";
import type { IpLimitsCall } from "./ip-limiter";
import type { IpLimitRequest, IpLimitResult } from "./ip-windows";

/** The objects of addresses (`platforms/ip-limits-object.ts`), as a binding gives them. */
export interface IpLimitsNamespace {
  getByName(name: string): { check(request: IpLimitRequest): Promise<IpLimitResult> };
}

/** `undefined` in a worker without that binding. The limits of addresses are then off. */
export function createIpLimitsCall(namespace: IpLimitsNamespace | undefined): IpLimitsCall | undefined {
  return namespace && ((ipHash, request) => namespace.getByName(objectName(ipHash)).check(request));
}

/** The client's address as Cloudflare saw it. Cloudflare overwrites what a client puts in this header, and in no other. */
export function readCloudflareIp({ headers }: Request): string | undefined {
  return headers.get("CF-Connecting-IP") ?? undefined;
}
