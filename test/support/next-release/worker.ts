import { serve } from "../../../src/worker/serve";
import { nextEffects, nextMain } from "./kind";

const { Rooms, worker } = serve({ kinds: [nextMain], effects: nextEffects });

// The other exports of the configured entry, which wrangler.toml has bindings for.
export * from "../../../src/worker/index";
export { Rooms };
export default worker;
