// `npm run dev:cloudflare`: rooms, scoreboards and pages in one worker, as they are deployed.
import { join } from "node:path";
import { runDevServers } from "./dev-servers.mjs";
import { migrateLocally } from "./migrations.mjs";
import { UPKEEP_PATH, wranglerDev } from "./wrangler-dev.mjs";

await runDevServers(({ vars, ports, dataDir, reach }) => {
  const stateDir = join(dataDir, "cloudflare");
  return [
    {
      name: "worker",
      port: ports.PORT,
      portVariable: "PORT",
      stateDir,
      upkeepPath: UPKEEP_PATH,
      prepare: () => migrateLocally(stateDir),
      command: () => wranglerDev({ port: ports.PORT, stateDir, vars, ...reach }),
    },
  ];
});
