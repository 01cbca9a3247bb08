// `npm run dev`: rooms on partykit, scoreboards on wrangler, and the pages, as one command.
import { join } from "node:path";
import { runDevServers } from "./dev-servers.mjs";
import { migrateLocally } from "./migrations.mjs";
import { partykitDev } from "./partykit-dev.mjs";
import { UPKEEP_PATH, wranglerDev } from "./wrangler-dev.mjs";

await runDevServers(({ vars, ports, dataDir, reach }) => {
  const addresses = {
    SCOREBOARD_URL: `http://127.0.0.1:${ports.SCOREBOARD_PORT}`,
    ROOMS_URL: `http://127.0.0.1:${ports.ROOMS_PORT}`,
    ...vars,
  };
  // Two inspectors cannot share a port.
  const { inspectorPort } = reach;
  const scoreboardReach =
    inspectorPort === undefined ? reach : { ...reach, inspectorPort: inspectorPort + 1 };
  const roomsDir = join(dataDir, "rooms");
  const scoreboardDir = join(dataDir, "scoreboard");
  return [
    {
      name: "rooms",
      port: ports.ROOMS_PORT,
      portVariable: "ROOMS_PORT",
      stateDir: roomsDir,
      command: () => partykitDev({ port: ports.ROOMS_PORT, stateDir: roomsDir, vars: addresses, ...reach }),
    },
    {
      name: "scoreboard",
      port: ports.SCOREBOARD_PORT,
      portVariable: "SCOREBOARD_PORT",
      stateDir: scoreboardDir,
      upkeepPath: UPKEEP_PATH,
      prepare: () => migrateLocally(scoreboardDir),
      command: () =>
        wranglerDev({
          port: ports.SCOREBOARD_PORT,
          stateDir: scoreboardDir,
          vars: addresses,
          ...scoreboardReach,
        }),
    },
  ];
});
