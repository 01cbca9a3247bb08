import { afterAll, afterEach, beforeAll, describe, expect } from "vitest";
import type { Platform } from "../support/platforms";
import { type Env, OPEN_ENV, PlatformStage } from "./platform-stage";

/** One server of a platform, and tests that share it, one after the other. */
export function describeOnServer(
  platform: Platform,
  about: string,
  env: Env,
  tests: (stage: PlatformStage) => void,
): void {
  describe(about, () => {
    const stage = new PlatformStage(platform);
    beforeAll(() => stage.start({ ...OPEN_ENV, ...env }), 90_000);
    afterAll(() => stage.stop(), 30_000);
    afterEach(() => {
      expect(stage.closeClients(), "the breaches that clients noted").toEqual([]);
    });
    tests(stage);
  });
}

/** Tests in two parts, with others in between. */
export interface InterleavedStories<T> {
  prepare(stage: PlatformStage): Promise<T>;
  before(stage: PlatformStage, laidOut: () => T): void;
  between(): void;
  after(stage: PlatformStage, laidOut: () => T): void;
}

/** A server on which the first part waits while the tests in between run; no client leaves until the last has ended. */
export function describeInterleaved<T>(
  platform: Platform,
  about: string,
  env: Env | (() => Promise<Env>),
  { prepare: layOut, before: first, between, after: last }: InterleavedStories<T>,
): void {
  const stage = new PlatformStage(platform);
  let prepared: T | undefined;
  describe(about, () => {
    beforeAll(async () => {
      await stage.start({ ...OPEN_ENV, ...(typeof env === "function" ? await env() : env) });
      prepared = await layOut(stage);
    }, 180_000);
    afterAll(async () => {
      const faults = stage.closeClients();
      await stage.stop();
      expect(faults, "the breaches that clients noted").toEqual([]);
    }, 30_000);
    const getPrepared = () => {
      if (prepared === undefined) {
        throw new Error("nothing was laid out");
      }
      return prepared;
    };
    first(stage, getPrepared);
    between();
    last(stage, getPrepared);
  });
}
