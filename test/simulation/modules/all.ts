import type { SimulationModule } from "../simulation-module";
import { bans } from "./bans";
import { coincidences } from "./coincidences";
import { effects } from "./effects";
import { addresses } from "./guest-ips";
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
export const modules: readonly SimulationModule[] = [
  people,
  talk,
  lab,
  net,
  machines,
  http,
  effects,
  bans,
  addresses,
  points,
  rates,
  once,
  storage,
  coincidences,
];
