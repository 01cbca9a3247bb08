import { watch } from "node:fs";
import { join } from "node:path";
import type { Random } from "../random";
import { pause } from "../waiting";
import type { ChaosDeployment } from "./chaos-deployment";

/** A fault of a deployment. Returns whether it happened: the moment that it waits for need not come. */
export interface Fault {
  name: string;
  inject(on: ChaosDeployment, random: Random): Promise<boolean>;
}

/** How long a fault waits for its moment: batches are due every 400 ms while points are awarded. */
const MOMENT_MS = 5_000;

function alwaysInjected(name: string, inject: (on: ChaosDeployment, random: Random) => Promise<void>): Fault {
  return { name, inject: (on, random) => inject(on, random).then(() => true) };
}

const killRoomsFault = alwaysInjected("kill -9 of the rooms", (on) => on.kill("rooms"));
const restartRooms = alwaysInjected("restart of the rooms", (on) => on.restart("rooms"));
const stallRooms = alwaysInjected("stall of the rooms", (on, random) =>
  on.stall("rooms", random.below(2_500)),
);
const killWorker = alwaysInjected("kill -9 of the worker", (on) => on.kill("worker"));
const restartWorker = alwaysInjected("restart of the worker", (on) => on.restart("worker"));
const stallWorker = alwaysInjected("stall of the worker", (on, random) =>
  on.stall("worker", random.below(2_500)),
);

const cutClients = alwaysInjected("cut of players' connections", async ({ clients }, random) => {
  for (let cuts = 1 + random.below(6); cuts > 0; cuts--) {
    clients.cutAny();
    await pause(random.below(30));
  }
});

const cutLink: Fault = {
  name: "cut between rooms and worker",
  async inject({ link }) {
    // Whether the worker had committed before is unknown.
    for (let n = 0; n < 400; n++) {
      if (link?.cutAny()) return true;
      await pause(5);
    }
    return false;
  },
};

const refuseClients = alwaysInjected("players refused", async ({ clients }, random) => {
  clients.isRefusing = true;
  await pause(random.below(1_500));
  clients.isRefusing = false;
});

const refuseLink = alwaysInjected("rooms refused by the worker", async ({ link }, random) => {
  if (link) link.isRefusing = true;
  await pause(random.below(1_500));
  if (link) link.isRefusing = false;
});

/** The worker has committed and answered; the answer ends here. */
const loseResponse: Fault = {
  name: "answer to a batch lost",
  inject: (on) => on.atBatchResponse((line) => on.link?.cut(line, "reset"), MOMENT_MS),
};

/** The same, and the room that waited for it is gone as well. */
const killAtResponse: Fault = {
  name: "kill -9 of the rooms before the answer to a batch",
  async inject(on) {
    const rooms = on.server("rooms");
    const came = await on.atBatchResponse((line) => {
      // At once: a process that runs on would receive it.
      process.kill(-rooms.pid, "SIGKILL");
      on.link?.cut(line, "reset");
    }, MOMENT_MS);
    if (came) await on.kill("rooms");
    return came;
  },
};

/**
 * Where room and database are one process: as soon as the database's file shows that something was committed. The room's
 * database is far away there (`far-database`), so that it has no answer yet.
 */
const killAtCommit: Fault = {
  name: "kill -9 as D1 commits",
  async inject(on) {
    const rooms = on.server("rooms");
    const committed = await new Promise<boolean>((resolve) => {
      const over = (isSo: boolean) => {
        clearTimeout(timer);
        watcher.close();
        resolve(isSo);
      };
      const timer = setTimeout(() => over(false), MOMENT_MS);
      const watcher = watch(join(rooms.dataDir, "state/v3/d1/miniflare-D1DatabaseObject"), (_, file) => {
        if (!file?.endsWith("-wal")) return;
        process.kill(-rooms.pid, "SIGKILL");
        over(true);
      });
    });
    if (committed) await on.kill("rooms");
    return committed;
  },
};

/** Rooms and worker can write nothing more until there is space again. */
export const fullDisk: Fault = {
  name: "full disk",
  async inject({ disk }, random) {
    if (typeof disk === "string") return false;
    disk.fill();
    await pause(1_000 + random.below(3_000));
    disk.free();
    return true;
  },
};

const commonFaults = [killRoomsFault, restartRooms, stallRooms, cutClients, refuseClients];

/** Faults that almost certainly lose an answer of D1's. */
export const faultAfterCommit = { cloudflare: killAtCommit, partykit: killAtResponse };

export const faultsByPlatform = {
  cloudflare: [...commonFaults, killAtCommit],
  partykit: [
    ...commonFaults,
    ...[killWorker, restartWorker, stallWorker, cutLink, refuseLink, loseResponse, killAtResponse],
  ],
} as const satisfies Record<string, readonly Fault[]>;
