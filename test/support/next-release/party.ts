import { partyOf } from "../../../src/platforms/partykit";
import { nextEffects, nextMain } from "./kind";

export default partyOf(nextMain, { effects: nextEffects });
