import { existsSync, readdirSync } from "node:fs";
import { defineConfig, type TestProjectConfiguration } from "vitest/config";
import { generateSecret } from "./scripts/env-file.mjs";
import { buildPages } from "./scripts/pages.mjs";

/** Pure code on Node: fast, in parallel. */
const unit: TestProjectConfiguration = {
  test: {
    name: "unit",
    include: ["test/unit/**/*.test.ts", "test/fuzz/**/*.test.ts"],
    // What they do takes no time worth measuring; a machine that others share does.
    testTimeout: 30_000,
    sequence: { groupOrder: 0 },
  },
};

/** Code that needs the workers runtime, inside it, with the worker that wrangler.toml describes. */
async function workers(): Promise<TestProjectConfiguration> {
  // Else the worker would be handed this clone's own `.env`, and tests would pass on one desk and fail on another.
  process.env.CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV = "false";
  // `npm install` makes them; without the folder of `[assets]` no worker starts.
  if (!existsSync("dist/web")) await buildPages();
  const { cloudflareTest, readD1Migrations } = await import("@cloudflare/vitest-pool-workers");
  const bindings = {
    AUTH_SECRET: generateSecret(),
    BATCH_SECRET: generateSecret(),
    GUESTS: "on",
    // Nobody tells an address in the pool: all would come from one.
    CONNECT_LIMIT: "0",
    NEW_ROOM_LIMIT: "0",
    GUEST_LIMIT: "0",
    READ_LIMIT: "0",
    MIGRATIONS: await readD1Migrations("migrations"),
  };
  return {
    plugins: [cloudflareTest({ wrangler: { configPath: "./wrangler.toml" }, miniflare: { bindings } })],
    test: {
      name: "workers",
      // Its ES module wraps a CommonJS one, which the pool cannot look into: bundled, it is one module.
      deps: { optimizer: { ssr: { enabled: true, include: ["obscenity"] } } },
      include: ["test/workers/**/*.test.ts"],
      setupFiles: ["test/workers/migrate.ts"],
      sequence: { groupOrder: 1 },
    },
  };
}

/**
 * Real servers, over the wire: what they measure is time, so one file at a time and after everything else. Two servers and
 * their clients are as much as two cores bear.
 */
const platforms: TestProjectConfiguration = {
  test: {
    name: "platforms",
    include: ["test/platforms/**/*.test.ts"],
    fileParallelism: false,
    // They hold servers to times, on a machine that others share: there, one second look. The report tells who needed it.
    retry: process.env.CI ? 1 : 0,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    sequence: { groupOrder: 2 },
  },
};

/** The package as it is published, in an empty project of somebody else's. */
const packed: TestProjectConfiguration = {
  test: {
    name: "package",
    include: ["test/package/**/*.test.ts"],
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 180_000,
    sequence: { groupOrder: 2 },
  },
};

/** The pages in a real Chromium, which npm's packages do not bring: `npm run test:browser` runs these, `npm test` does not. */
const browser: TestProjectConfiguration = {
  test: {
    name: "browser",
    include: ["test/browser/**/*.test.ts"],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    sequence: { groupOrder: 3 },
  },
};

export default defineConfig({
  test: {
    // `npm run coverage`. Istanbul's, for the workers' runtime has no inspector of Node's to count with. Without the one
    // test that measures memory: counting changes what it measures, and makes it take minutes.
    coverage: {
      provider: "istanbul",
      include: [
        "src/{protocol,text,lib,room,features}/**/*.ts",
        "src/services/boards/store/**/*.ts",
        "src/client/session/**/*.ts",
      ],
      reporter: ["text", "json"],
      reportsDirectory: ".cache/coverage",
      reportOnFailure: true,
      thresholds: { branches: 95 },
    },
    projects: [unit, ...(hasTests("test/workers") ? [await workers()] : []), platforms, packed, browser],
  },
});

/** The workers' pool brings a runtime of its own up: not for nothing. */
function hasTests(folder: string): boolean {
  return (
    existsSync(folder) &&
    readdirSync(folder, { recursive: true }).some((file) => /\.test\.ts$/.test(String(file)))
  );
}
