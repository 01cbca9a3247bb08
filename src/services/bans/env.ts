import type { Environment } from "../../config/config";
import type { IpLimitsNamespace } from "../../edge/ip-limits/cloudflare-ip";
import type { DirectoryNamespace } from "./ban-service";

/** The bindings that the ban service uses. There is no ban service without the first two. */
export type BansEnv = Environment & {
  DB?: D1Database;
  USERS?: DirectoryNamespace;
  ADDRESSES?: IpLimitsNamespace;
};
