import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { chatSchema } from "../../src/features/chat/schema";
import * as chat from "../../src/features/chat/state";
import { moderationSchema } from "../../src/features/moderation/schema";
import * as moderation from "../../src/features/moderation/state";
import { presenceSchema } from "../../src/features/presence/schema";
import * as presence from "../../src/features/presence/state";
import { scoresSchema } from "../../src/features/scores/schema";
import * as scores from "../../src/features/scores/state";
import { featureFingerprint, wireFingerprint } from "../../src/protocol/schema/fingerprint";
import { protocolVersion } from "../../src/protocol/version";

/** The hash of the wire format at each version. A change needs a new version, or must not change the hash. */
const wire: Record<number, string> = { 1: "c72b1574" };

describe("versions", () => {
  it("the wire format is what its version says", () => {
    expect(wireFingerprint()).toBe(wire[protocolVersion]);
  });

  it.each([
    ["chat", chatSchema, chat.version],
    ["presence", presenceSchema, presence.version],
    ["moderation", moderationSchema, moderation.version],
    ["scores", scoresSchema, scores.version],
  ])(
    "%s has the version of its schemas and its reducer (`npm run versions` writes it)",
    (name, schema, version) => {
      const source = readFileSync(new URL(`../../src/features/${name}/state.ts`, import.meta.url), "utf8");
      expect(version).toBe(featureFingerprint(schema, source));
    },
  );

  it("a changed reducer or schema needs another version", () => {
    const source = "export const version = 1;\nreduce";
    const same = featureFingerprint(chatSchema, source);
    expect(featureFingerprint(chatSchema, source.replace("= 1", "= 2"))).toBe(same);
    expect(featureFingerprint(chatSchema, `${source}d`)).not.toBe(same);
    expect(featureFingerprint(presenceSchema, source)).not.toBe(same);
  });
});
