import type worker from "../../src/worker/index";
import type { Addresses, Boards, Rooms, Users } from "../../src/worker/index";

declare global {
  namespace Cloudflare {
    /** What wrangler.toml and vitest.config.ts give the worker. */
    interface Env {
      ROOMS: DurableObjectNamespace<InstanceType<typeof Rooms>>;
      USERS: DurableObjectNamespace<InstanceType<typeof Users>>;
      ADDRESSES: DurableObjectNamespace<InstanceType<typeof Addresses>>;
      BOARDS: DurableObjectNamespace<InstanceType<typeof Boards>>;
      DB: D1Database;
      /** The shipped migrations, for test/workers/migrate.ts. */
      MIGRATIONS: import("cloudflare:test").D1Migration[];
      AUTH_SECRET: string;
      BATCH_SECRET: string;
      GUESTS: string;
    }
    interface GlobalProps {
      mainModule: {
        default: typeof worker;
        Rooms: typeof Rooms;
        Users: typeof Users;
        Addresses: typeof Addresses;
        Boards: typeof Boards;
      };
      durableNamespaces: "Rooms" | "Users" | "Addresses" | "Boards";
    }
  }
}
