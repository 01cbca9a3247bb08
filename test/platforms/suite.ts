import { describe } from "vitest";
import type { Platform } from "../support/platforms";
import { describeActions } from "./actions";
import { ALARM_ENV, describeAlarms, setAlarms } from "./alarms";
import { describeClientLibrary } from "./client-library";
import { describeCrashes, describeCrashesInOldRoom, SHORT_IDLE_ENV, SHORT_RECOVERY_ENV } from "./crashing";
import { describeInterleaved, describeOnServer } from "./describe-on-server";
import { describeFeatures } from "./features";
import { describeForgeries, describeLeftovers } from "./forgery";
import { describeHostile } from "./hostile";
import { describeJoining, describeWithoutGuests } from "./joining";
import { describeLimits, TIGHT_LIMITS_ENV } from "./limits";
import { describeRequests } from "./requests";
import { describeResuming } from "./resuming";
import { describeSendCounts } from "./send-counts";
import { describeClosedReaders, describeSlowReaders, joinSlowReaders } from "./slow-readers";
import { describeFirstWake, describeWaking, prepareSleepingRooms, SLEEP_ENV } from "./waking";

/** A short grace, so that leaving can be seen. */
const DEFAULT_ENV = { LEAVE_GRACE_MS: "1500" };

/** Everything a client may rely on, over the wire, against the real server of one platform. Titles cite docs/protocol.md. */
export function describePlatform(platform: Platform): void {
  describe(platform.name, () => {
    // Clients that read nothing are closed after half a minute, and rooms fall asleep: the other tests run meanwhile.
    describeInterleaved(
      platform,
      "while nobody reads",
      {},
      {
        prepare: joinSlowReaders,
        before: describeSlowReaders,
        between: () => describeWhileAlarmsWait(platform),
        after: describeClosedReaders,
      },
    );
  });
}

function describeWhileAlarmsWait(platform: Platform): void {
  describeInterleaved(platform, "while rooms wait for their alarms", ALARM_ENV, {
    prepare: setAlarms,
    before: () => undefined,
    between: () => {
      describeWhileAsleep(platform);
      describeOnServer(platform, "a room with tight limits", TIGHT_LIMITS_ENV, describeLimits);
      describeOnServer(platform, "a room whose server is killed", SHORT_IDLE_ENV, (stage) => {
        describeWithoutGuests(stage);
        describeCrashes(stage);
      });
      describeOnServer(platform, "a room that keeps little", SHORT_RECOVERY_ENV, describeCrashesInOldRoom);
    },
    after: describeAlarms,
  });
}

function describeWhileAsleep(platform: Platform): void {
  describeInterleaved(platform, "while rooms sleep", SLEEP_ENV, {
    prepare: prepareSleepingRooms,
    before: describeFirstWake,
    between: () => describeAwake(platform),
    after: describeWaking,
  });
}

function describeAwake(platform: Platform): void {
  describeOnServer(platform, "a room", DEFAULT_ENV, (stage) => {
    describeJoining(stage);
    describeActions(stage);
    describeClientLibrary(stage);
    describeFeatures(stage);
    describeResuming(stage);
    describeRequests(stage);
    describeSendCounts(stage);
    describeForgeries(stage);
    describeHostile(stage);
    describeLeftovers(stage);
  });
}
