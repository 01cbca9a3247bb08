import { describe } from "vitest";
import { cloudflare, partykit } from "../support/platforms";
import { onServer } from "./on-server";
import { BRITTLE, recovery } from "./recovery";

for (const platform of [partykit, cloudflare]) {
  describe(platform.name, () => onServer(platform, "a room whose network fails", BRITTLE, recovery));
}
