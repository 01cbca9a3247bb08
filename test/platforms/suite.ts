import { describe } from "vitest";
import type { Platform } from "../support/platforms";
import { alarms, DROWSY, setAlarms } from "./alarms";
import { clientLibrary } from "./client-library";
import { crashing, crashingLate, FORGETFUL, RESTLESS } from "./crashing";
import { features } from "./features";
import { forging, leavingNothing } from "./forging";
import { hostile } from "./hostile";
import { joining, withoutGuests } from "./joining";
import { limits, TIGHT } from "./limits";
import { onServer, onServerMeanwhile } from "./on-server";
import { requests } from "./requests";
import { resuming } from "./resuming";
import { closedReaders, gather, slowReaders } from "./slow-readers";
import { talking } from "./talking";
import { fallAsleep, SLEEPY, waking, wakingUp } from "./waking";
import { work } from "./work";

/** A short grace, so that leaving can be seen. */
const ORDINARY = { LEAVE_GRACE_MS: "1500" };

/** Everything a client may rely on, over the wire, against the real server of one platform. Titles cite docs/protocol.md. */
export function suite(platform: Platform): void {
  describe(platform.name, () => {
    // Who reads nothing is closed after half a minute, and rooms fall asleep: the other stories are told meanwhile.
    onServerMeanwhile(
      platform,
      "while nobody reads",
      {},
      {
        layOut: gather,
        first: slowReaders,
        between: () => waitingForAlarms(platform),
        last: closedReaders,
      },
    );
  });
}

function waitingForAlarms(platform: Platform): void {
  onServerMeanwhile(platform, "while rooms wait for their alarms", DROWSY, {
    layOut: setAlarms,
    first: () => undefined,
    between: () => {
      sleeping(platform);
      onServer(platform, "a room with tight limits", TIGHT, limits);
      onServer(platform, "a room whose server is killed", RESTLESS, (stage) => {
        withoutGuests(stage);
        crashing(stage);
      });
      onServer(platform, "a room that keeps little", FORGETFUL, crashingLate);
    },
    last: alarms,
  });
}

function sleeping(platform: Platform): void {
  onServerMeanwhile(platform, "while rooms sleep", SLEEPY, {
    layOut: fallAsleep,
    first: wakingUp,
    between: () => awake(platform),
    last: waking,
  });
}

function awake(platform: Platform): void {
  onServer(platform, "a room", ORDINARY, (stage) => {
    joining(stage);
    talking(stage);
    clientLibrary(stage);
    features(stage);
    resuming(stage);
    requests(stage);
    work(stage);
    forging(stage);
    hostile(stage);
    leavingNothing(stage);
  });
}
