import type { Environment } from "../../config/config";
import type { UsersNamespace } from "./ban-service";

/** The bindings that the ban service uses. A worker without one of them has no ban service. */
export type BansEnv = Environment & { DB?: D1Database; USERS?: UsersNamespace };
