import { partyOf } from "../../../src/platform/partykit";
import { nextMain } from "./kind";

export default partyOf(nextMain);
