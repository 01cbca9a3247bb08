import { main } from "../src/kinds/main";
import { partyOf } from "../src/platforms/partykit";

export default partyOf(main);
