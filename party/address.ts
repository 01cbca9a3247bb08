import { ipLimitsParty } from "../src/edge/ip-limits/partykit-ip";

export default ipLimitsParty();
