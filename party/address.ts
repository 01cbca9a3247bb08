import { addressParty } from "../src/platform/partykit-address";

export default addressParty();
