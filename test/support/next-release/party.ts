import { partyOf } from "../../../src/platform/partykit";
import { nextErrands, nextMain } from "./kind";

export default partyOf(nextMain, { errands: nextErrands });
