import type { Environment } from "../../config/config";

/** The bindings that the boards use. */
export type BoardsEnv = Environment & {
  DB: D1Database;
  /** Absent in a worker without live boards. */
  BOARDS?: DurableObjectNamespace;
};
