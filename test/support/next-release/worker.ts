import { serve } from "../../../src/worker/serve";
import { nextEffects, nextMain } from "./kind";

const { Rooms, worker } = serve({ kinds: [nextMain], effects: nextEffects });

// Whatever else the configured entry exports, wrangler.toml has a binding for.
export * from "../../../src/worker/index";
export { Rooms };
export default worker;
