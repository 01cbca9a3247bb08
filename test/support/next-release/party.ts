import { partyOf } from "../../../src/worker/party";
import { nextEffects, nextMain } from "./kind";

export default partyOf(nextMain, { effects: nextEffects });
