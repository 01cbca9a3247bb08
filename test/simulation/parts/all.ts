import type { Part } from "../part";
import { addresses } from "./addresses";
import { bans } from "./bans";
import { coincidences } from "./coincidences";
import { errands } from "./errands";
import { http } from "./http";
import { lab } from "./lab";
import { machines } from "./machines";
import { net } from "./net";
import { once } from "./once";
import { people } from "./people";
import { points } from "./points";
import { rates } from "./rates";
import { storage } from "./storage";
import { talk } from "./talk";

/** Everything that is simulated. A feature, an object or a port joins here. */
export const parts: readonly Part[] = [
  people,
  talk,
  lab,
  net,
  machines,
  http,
  errands,
  bans,
  addresses,
  points,
  rates,
  once,
  storage,
  coincidences,
];
