import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { bundleClient, CLIENT_LIMIT_BYTES } from "../../scripts/client-bundle.mjs";
import { builtInFeatures } from "../../src/client/built-in";

const features = readdirSync(fileURLToPath(new URL("../../src/features", import.meta.url)));

describe("the browser's bundle", () => {
  it("the bundle has at most 14 kB, minified and gzipped, with every feature and partysocket", async () => {
    const { gzipped, files } = await bundleClient();
    expect(gzipped).toBeLessThanOrEqual(CLIENT_LIMIT_BYTES);
    expect(CLIENT_LIMIT_BYTES).toBe(14_000);
    for (const feature of features) expect(files).toContain(`src/features/${feature}/state.ts`);
    expect(files).toContain("node_modules/partysocket/dist/index.js");
  });

  it("the bundle contains no zod and no server code", async () => {
    const { files } = await bundleClient();
    const own = files.filter((file) => !file.startsWith("node_modules/"));
    expect(files.filter((file) => file.includes("zod"))).toEqual([]);
    expect(
      own.filter((file) => !/^src\/(client\/|protocol\/[^/]+$|features\/[^/]+\/state\.ts$)/.test(file)),
    ).toEqual([]);
  });

  it("the bundle knows every feature that comes with Tallyroom", () => {
    expect(Object.keys(builtInFeatures).sort()).toEqual([...features].sort());
  });
});
