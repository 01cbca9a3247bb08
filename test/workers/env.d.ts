import type worker from "../../src/worker/index";
import type { Rooms } from "../../src/worker/index";

declare global {
  namespace Cloudflare {
    /** What wrangler.toml and vitest.config.ts give the worker. */
    interface Env {
      ROOMS: DurableObjectNamespace<InstanceType<typeof Rooms>>;
      AUTH_SECRET: string;
      GUESTS: string;
    }
    interface GlobalProps {
      mainModule: { default: typeof worker; Rooms: typeof Rooms };
      durableNamespaces: "Rooms";
    }
  }
}
