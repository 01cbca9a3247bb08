import { describe } from "vitest";
import { cloudflare, partykit } from "../support/platforms";
import { describeOnServer } from "./describe-on-server";
import { describeRecovery, SHORT_GRACE_ENV } from "./recovery";

for (const platform of [partykit, cloudflare]) {
  describe(platform.name, () =>
    describeOnServer(platform, "a room whose network fails", SHORT_GRACE_ENV, describeRecovery),
  );
}
