import { describe } from "vitest";
import { KeyServer } from "../support/key-server";
import { cloudflare, type Platform, partykit } from "../support/platforms";
import { ADDRESSED, addresses } from "./addresses";
import { browsers } from "./browsers";
import { CROWDED, crowds } from "./crowds";
import { ending, endings, keys } from "./keys";
import { onServer, onServerMeanwhile } from "./on-server";

/** The edge of each platform, over the wire: whose tokens are good, which pages may come, and what an address may. */
function edge(platform: Platform): void {
  describe(platform.name, () => {
    const issuer = new KeyServer();
    // Tokens end while rooms sleep: the other stories are told meanwhile.
    onServerMeanwhile(
      platform,
      "with an issuer's keys",
      async () => {
        await issuer.start();
        await issuer.stop();
        return { ...issuer.env, ALLOWED_ORIGINS: "https://play.example.org" };
      },
      {
        layOut: endings,
        first: (stage) => keys(stage, issuer),
        between: () => {
          onServer(platform, "with limits of an address", ADDRESSED, addresses);
          onServer(platform, "with a crowd", CROWDED, crowds);
        },
        last: (stage, laidOut) => {
          browsers(stage);
          ending(stage, laidOut);
        },
      },
    );
  });
}

edge(partykit);
edge(cloudflare);
