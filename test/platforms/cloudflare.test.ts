import { cloudflare } from "../support/platforms";
import { suite } from "./suite";

suite(cloudflare);
