import { z } from "zod";
import { chat } from "../../../src/features/chat/decide";
import { moderation } from "../../../src/features/moderation/decide";
import { presence } from "../../../src/features/presence/decide";
import { defineFeature } from "../../../src/room/api/feature";
import { defineKind } from "../../../src/room/api/kind";

/** A feature that no earlier release knows, with an effect. */
const wave = defineFeature({
  name: "wave",
  version: "1",
  schema: {
    actions: { wave: z.object({}) },
    events: { waved: z.object({}), answered: z.object({ by: z.string() }) },
  },
  shared: {
    initial: () => ({ waves: 0, answers: 0 }),
    reduce: ({ waves, answers }, { n }) =>
      n === "waved" ? { waves: waves + 1, answers } : { waves, answers: answers + 1 },
  },
  actions: {
    wave: {
      maxBytes: 16,
      rate: { count: 100, perMs: 1_000 },
      decide: () => ({ events: [{ n: "waved", d: {} }], effects: ["answer"] }),
    },
  },
  effects: {
    answer: {
      request: ({ state }) => (state.answers < state.waves ? { waves: state.waves } : undefined),
      onAnswer: (_, by) => ({ events: [{ n: "answered", d: { by: String(by) } }] }),
    },
  },
});

/** Answers with the room's name and the deployment's setting for guests. */
export const nextEffects = (env: Readonly<Record<string, unknown>>) => ({
  "wave/answer": async (room: { kind: string; id: string }, ask: unknown) =>
    `${room.kind}/${room.id} ${JSON.stringify(ask)} ${env.GUESTS}`,
});

/** Chat as another release might have it: its state counts lines, which the one before did not. */
const countingChat = {
  ...chat,
  version: "next",
  shared: {
    initial: () => ({ ...chat.shared.initial(), lines: 0 }),
    reduce(
      state: ReturnType<typeof chat.shared.initial> & { lines: number },
      event: Parameters<typeof chat.shared.reduce>[1],
    ) {
      const { lines } = state;
      return { ...chat.shared.reduce(state, event), lines: event.n === "said" ? lines + 1 : lines };
    },
    migrate: (old: unknown) => {
      const state = old as ReturnType<typeof chat.shared.initial>;
      return { ...state, lines: state.messages.length };
    },
  },
};

/** `main`, as the release after this one might have it: a changed reducer with its migration, and events that are new. */
export const nextMain = defineKind({
  name: "main",
  features: [presence, countingChat as unknown as typeof chat, moderation, wave],
  words: "mask",
});
