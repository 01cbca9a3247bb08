import { main } from "../src/kinds/main";
import { partyOf } from "../src/platform/partykit";

export default partyOf(main);
