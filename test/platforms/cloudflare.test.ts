import { cloudflare } from "../support/platforms";
import { describePlatform } from "./suite";

describePlatform(cloudflare);
