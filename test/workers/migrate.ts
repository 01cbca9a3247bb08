import { applyD1Migrations } from "cloudflare:test";
import { env } from "cloudflare:workers";

// Each test file has a database of its own, and it is as shipped.
await applyD1Migrations(env.DB, env.MIGRATIONS);
