import { defineConfig } from "drizzle-kit";

/** `npm run db:generate` writes SQL; wrangler applies it (`npm run db:migrate`), so that there is one list of what was applied. */
export default defineConfig({
  dialect: "sqlite",
  schema: ["./src/services/boards/store/schema.ts", "./src/services/bans/schema.ts"],
  out: "./migrations",
});
