import { z } from "zod";
import type { Json } from "../../src/protocol/messages";
import { defineFeature, refuse } from "../../src/room/feature";

/** Which code of the lab's throws while this is set: what a story breaks and mends. */
export type Broken = "decide" | "reduce" | "reducePrivate" | "concerns" | "mine" | "due" | "joined" | "left";

export interface LabState {
  total: number;
  /** Who was dealt how many cards: what everybody may know of them. */
  dealt: readonly (readonly [user: string, cards: number])[];
  rang: readonly string[];
  filler: number;
}
export interface LabHidden {
  cards: readonly (readonly [user: string, cards: readonly number[]])[];
}

const any = { maxBytes: 16_000, rate: { count: 1_000_000, perMs: 1_000 } };

/**
 * A feature with one of everything that a kernel has to bear: numbers, private cards, timers, answers without events,
 * events of any size and count, urgency, signals, and code that throws when told to.
 */
export function labFeature({
  version = "1",
  broken = new Set<Broken>(),
  migrate,
}: {
  version?: string;
  broken?: Set<Broken>;
  migrate?: (old: unknown, from: string) => LabState;
} = {}) {
  const fail = (where: Broken) => {
    if (broken.has(where)) throw new Error(`secret-detail in ${where}`);
  };
  return defineFeature({
    name: "lab",
    version,
    schema: {
      actions: {
        add: z.object({ n: z.int() }),
        many: z.object({ count: z.int(), chars: z.int() }),
        deal: z.object({ to: z.array(z.string()) }),
        peek: z.object({}),
        nothing: z.object({}),
        refused: z.object({}),
        timer: z.object({ name: z.string(), afterMs: z.number().nullable() }),
        urgent: z.object({}),
        both: z.object({}),
        hosts: z.object({}),
        small: z.object({ text: z.string() }),
        hide: z.object({}),
        echo: z.object({ text: z.string() }),
        timers: z.object({ count: z.int(), from: z.int() }),
      },
      events: {
        added: z.object({ n: z.int() }),
        filled: z.object({ fill: z.string() }),
        dealt: z.object({ user: z.string() }),
        rang: z.object({ name: z.string() }),
      },
      privateEvents: { card: z.object({ user: z.string(), card: z.int() }) },
      signals: { point: z.object({ x: z.number() }), rare: z.object({ x: z.number() }) },
    },
    shared: {
      initial: (): LabState => ({ total: 0, dealt: [], rang: [], filler: 0 }),
      reduce(state: LabState, event): LabState {
        switch (event.n) {
          case "added":
            fail("reduce");
            return { ...state, total: state.total + event.d.n };
          case "filled":
            return { ...state, filler: state.filler + event.d.fill.length };
          case "dealt":
            return { ...state, dealt: put(state.dealt, event.d.user, (held = 0) => held + 1) };
          case "rang":
            return { ...state, rang: [...state.rang, `${event.d.name}@${event.at}`] };
          default:
            return state;
        }
      },
      ...(migrate ? { migrate } : {}),
    },
    private: {
      initial: (): LabHidden => ({ cards: [] }),
      reduce(state: LabHidden, event): LabHidden {
        fail("reducePrivate");
        const { user, card } = event.d;
        return { cards: put(state.cards, user, (held: readonly number[] = []) => [...held, card].slice(-3)) };
      },
      mine(_: LabState, { cards }: LabHidden, user: string): Json {
        fail("mine");
        return cards.find(([holder]) => holder === user)?.[1] ?? [];
      },
      concerns(event) {
        fail("concerns");
        return [event.d.user];
      },
    },
    actions: {
      add: {
        ...any,
        decide(_, { n }) {
          fail("decide");
          // The second of the two throws in a fold that has begun.
          return {
            events: [
              { n: "filled", d: { fill: "x" } },
              { n: "added", d: { n } },
            ],
          };
        },
      },
      many: {
        ...any,
        decide: (_, { count, chars }) => ({
          events: Array.from({ length: count }, () => ({
            n: "filled" as const,
            d: { fill: "x".repeat(chars) },
          })),
        }),
      },
      deal: {
        ...any,
        decide: ({ chance }, { to }) => ({
          events: to.map((user) => ({ n: "dealt" as const, d: { user } })),
          private: to.map((user) => ({ n: "card" as const, d: { user, card: Math.floor(chance() * 1000) } })),
        }),
      },
      peek: {
        ...any,
        decide: ({ private: hidden, by }) => ({
          answer: hidden.cards.find(([holder]) => holder === by.user)?.[1] ?? [],
        }),
      },
      nothing: { ...any, decide: () => ({}) },
      refused: { ...any, decide: () => refuse("conflict", "Never.", 10.5) },
      timer: {
        ...any,
        decide: ({ at }, { name, afterMs }) => ({
          timers: { [name]: afterMs === null ? null : at + afterMs },
        }),
      },
      urgent: { ...any, decide: () => ({ events: [{ n: "added", d: { n: 1 } }], urgent: true }) },
      both: { ...any, decide: () => ({ events: [{ n: "added", d: { n: 1 } }], answer: { told: true } }) },
      hide: { ...any, decide: ({ by }) => ({ private: [{ n: "card", d: { user: by.user, card: 1 } }] }) },
      echo: { ...any, decide: (_, { text }) => ({ answer: text }) },
      timers: {
        ...any,
        decide: ({ at }, { count, from }) => ({
          timers: Object.fromEntries(Array.from({ length: count }, (_, n) => [`t${from + n}`, at + 5_000])),
        }),
      },
      hosts: { ...any, who: "host", decide: () => ({ events: [{ n: "added", d: { n: 1 } }] }) },
      small: {
        maxBytes: 40,
        rate: { count: 2, perMs: 1_000 },
        decide: () => ({ events: [{ n: "added", d: { n: 1 } }] }),
      },
    },
    signals: {
      point: { maxBytes: 64, rate: { count: 1_000_000, perMs: 1_000 } },
      rare: { maxBytes: 64, rate: { count: 1, perMs: 10_000 } },
    },
    joined() {
      fail("joined");
      return {};
    },
    left() {
      fail("left");
      return {};
    },
    due(_, timer) {
      fail("due");
      return { events: [{ n: "rang", d: { name: timer } }] };
    },
  });
}

/** The same list with one entry changed: keys are what people are called, so no object is keyed by them. */
function put<T>(held: readonly (readonly [string, T])[], user: string, change: (before?: T) => T) {
  const at = held.findIndex(([holder]) => holder === user);
  if (at < 0) return [...held, [user, change()] as const];
  return held.map((entry, index) => (index === at ? ([user, change(entry[1])] as const) : entry));
}
