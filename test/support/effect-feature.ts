import { z } from "zod";
import { defineFeature } from "../../src/room/api/feature";

export interface DebtState {
  owed: number;
  paid: readonly number[];
}

const unlimited = { maxBytes: 1_000, rate: { count: 1_000_000, perMs: 1_000 } };

/** A feature with a debt that it pays by an effect; its code throws where a test says so. */
export function debtFeature(failing = new Set<"ask" | "answered" | "ending">()) {
  const failIf = (where: "ask" | "answered" | "ending") => {
    if (failing.has(where)) throw new Error(`secret-detail in ${where}`);
  };
  return defineFeature({
    name: "debt",
    version: "1",
    schema: {
      actions: {
        owe: z.object({ n: z.int(), now: z.boolean() }),
        forgive: z.object({}),
      },
      events: { owed: z.object({ n: z.int() }), paid: z.object({ n: z.int() }) },
    },
    shared: {
      initial: (): DebtState => ({ owed: 0, paid: [] }),
      reduce: ({ owed, paid }: DebtState, event): DebtState =>
        event.n === "owed"
          ? { owed: owed + event.d.n, paid }
          : { owed: owed - event.d.n, paid: [...paid, event.d.n] },
    },
    actions: {
      owe: {
        ...unlimited,
        decide: (_, { n, now }) => ({
          events: [{ n: "owed", d: { n } }],
          ...(now ? { effects: ["pay"] } : {}),
        }),
      },
      forgive: { ...unlimited, decide: ({ state }) => ({ events: [{ n: "owed", d: { n: -state.owed } }] }) },
    },
    effects: {
      pay: {
        request({ state }) {
          failIf("ask");
          return state.owed === 0 ? undefined : { owed: state.owed };
        },
        onAnswer(_, answer) {
          failIf("answered");
          return { events: [{ n: "paid", d: { n: Number(answer) } }] };
        },
      },
    },
    beforeClose({ state }) {
      failIf("ending");
      return state.owed === 0 ? {} : { effects: ["pay"] };
    },
  });
}
