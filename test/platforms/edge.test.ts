import { describe } from "vitest";
import { KeyServer } from "../support/key-server";
import { cloudflare, type Platform, partykit } from "../support/platforms";
import { CROWD_ENV, describeCrowds } from "./crowds";
import { describeInterleaved, describeOnServer } from "./describe-on-server";
import { describeIpLimits, IP_LIMITS_ENV } from "./ip-limits";
import { describeEndingToken, describeIssuerTokens, joinWithEndingToken } from "./issuer-tokens";
import { describeOrigins } from "./origins";

/** The edge of each platform, over the wire: valid tokens, allowed origins, and the limits of an address. */
function describeEdge(platform: Platform): void {
  describe(platform.name, () => {
    const issuer = new KeyServer();
    // Tokens end while rooms sleep: the other tests run meanwhile.
    describeInterleaved(
      platform,
      "with an issuer's keys",
      async () => {
        await issuer.start();
        await issuer.stop();
        return { ...issuer.env, ALLOWED_ORIGINS: "https://play.example.org" };
      },
      {
        prepare: joinWithEndingToken,
        before: (stage) => describeIssuerTokens(stage, issuer),
        between: () => {
          describeOnServer(platform, "with limits of an address", IP_LIMITS_ENV, describeIpLimits);
          describeOnServer(platform, "with a crowd", CROWD_ENV, describeCrowds);
        },
        after: (stage, laidOut) => {
          describeOrigins(stage);
          describeEndingToken(stage, laidOut);
        },
      },
    );
  });
}

describeEdge(partykit);
describeEdge(cloudflare);
