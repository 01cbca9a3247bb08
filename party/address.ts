import { addressParty } from "../src/platform/addresses/partykit-address";

export default addressParty();
