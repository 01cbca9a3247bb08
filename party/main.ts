import { main } from "../src/kinds/main";
import { partyOf } from "../src/worker/party";

export default partyOf(main);
