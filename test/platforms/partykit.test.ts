import { partykit } from "../support/platforms";
import { describePlatform } from "./suite";

describePlatform(partykit);
