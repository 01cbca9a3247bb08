import { partykit } from "../support/platforms";
import { suite } from "./suite";

suite(partykit);
