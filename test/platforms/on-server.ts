import { afterAll, afterEach, beforeAll, describe, expect } from "vitest";
import type { Platform } from "../support/platforms";
import { type Env, OPEN, Stage } from "./stage";

/** One server of a platform, and stories that share it, one after the other. */
export function onServer(platform: Platform, about: string, env: Env, stories: (stage: Stage) => void): void {
  describe(about, () => {
    const stage = new Stage(platform);
    beforeAll(() => stage.start({ ...OPEN, ...env }), 90_000);
    afterAll(() => stage.stop(), 30_000);
    afterEach(() => {
      expect(stage.dismiss(), "what clients had to complain of").toEqual([]);
    });
    stories(stage);
  });
}

/** Stories told in two parts, with others in between. */
export interface Meanwhile<T> {
  layOut(stage: Stage): Promise<T>;
  first(stage: Stage, laidOut: () => T): void;
  between(): void;
  last(stage: Stage, laidOut: () => T): void;
}

/** A server on which what was laid out has the time that the stories in between take; nobody leaves until the last has ended. */
export function onServerMeanwhile<T>(
  platform: Platform,
  about: string,
  env: Env | (() => Promise<Env>),
  { layOut, first, between, last }: Meanwhile<T>,
): void {
  const stage = new Stage(platform);
  let laidOut: T | undefined;
  describe(about, () => {
    beforeAll(async () => {
      await stage.start({ ...OPEN, ...(typeof env === "function" ? await env() : env) });
      laidOut = await layOut(stage);
    }, 180_000);
    afterAll(async () => {
      const faults = stage.dismiss();
      await stage.stop();
      expect(faults, "what clients had to complain of").toEqual([]);
    }, 30_000);
    const given = () => {
      if (laidOut === undefined) {
        throw new Error("nothing was laid out");
      }
      return laidOut;
    };
    first(stage, given);
    between();
    last(stage, given);
  });
}
