import { ipLimitsParty } from "../src/platforms/ip-limits-party";

export default ipLimitsParty();
