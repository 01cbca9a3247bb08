import type { Environment } from "../../config/config";

/** The bindings that the directory uses. */
export type DirectoryEnv = Environment & { ROOMS: DurableObjectNamespace };
