import { z } from "zod";
import type { Json } from "../../src/protocol/messages";
import { defineFeature, refuse } from "../../src/room/api/feature";

/** The parts of the lab's code that throw while they are set here. */
export type FailurePoint =
  | "decide"
  | "reduce"
  | "reducePrivate"
  | "concerns"
  | "mine"
  | "due"
  | "joined"
  | "left";

export interface LabState {
  total: number;
  /** Who was dealt how many cards: what everybody may know of them. */
  dealt: readonly (readonly [user: string, cards: number])[];
  rang: readonly string[];
  filler: number;
}
export interface LabPrivateState {
  cards: readonly (readonly [user: string, cards: readonly number[]])[];
}

const unlimited = { maxBytes: 16_000, rate: { count: 1_000_000, perMs: 1_000 } };

/**
 * A feature with one of everything that a room has to handle: numbers, private cards, timers, answers without events,
 * events of any size and count, urgency, signals, and code that throws when a test says so.
 */
export function labFeature({
  version = "1",
  broken: failing = new Set<FailurePoint>(),
  migrate,
}: {
  version?: string;
  broken?: Set<FailurePoint>;
  migrate?: (old: unknown, from: string) => LabState;
} = {}) {
  const failIf = (where: FailurePoint) => {
    if (failing.has(where)) throw new Error(`secret-detail in ${where}`);
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
            failIf("reduce");
            return { ...state, total: state.total + event.d.n };
          case "filled":
            return { ...state, filler: state.filler + event.d.fill.length };
          case "dealt":
            return { ...state, dealt: updateEntry(state.dealt, event.d.user, (held = 0) => held + 1) };
          case "rang":
            return { ...state, rang: [...state.rang, `${event.d.name}@${event.at}`] };
          default:
            return state;
        }
      },
      ...(migrate ? { migrate } : {}),
    },
    private: {
      initial: (): LabPrivateState => ({ cards: [] }),
      reduce(state: LabPrivateState, event): LabPrivateState {
        failIf("reducePrivate");
        const { user, card } = event.d;
        return {
          cards: updateEntry(state.cards, user, (held: readonly number[] = []) => [...held, card].slice(-3)),
        };
      },
      viewFor(_: LabState, { cards }: LabPrivateState, user: string): Json {
        failIf("mine");
        return cards.find(([holder]) => holder === user)?.[1] ?? [];
      },
      affects(event) {
        failIf("concerns");
        return [event.d.user];
      },
    },
    actions: {
      add: {
        ...unlimited,
        decide(_, { n }) {
          failIf("decide");
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
        ...unlimited,
        decide: (_, { count, chars }) => ({
          events: Array.from({ length: count }, () => ({
            n: "filled" as const,
            d: { fill: "x".repeat(chars) },
          })),
        }),
      },
      deal: {
        ...unlimited,
        decide: ({ random: chance }, { to }) => ({
          events: to.map((user) => ({ n: "dealt" as const, d: { user } })),
          private: to.map((user) => ({ n: "card" as const, d: { user, card: Math.floor(chance() * 1000) } })),
        }),
      },
      peek: {
        ...unlimited,
        decide: ({ private: hidden, by }) => ({
          answer: hidden.cards.find(([holder]) => holder === by.user)?.[1] ?? [],
        }),
      },
      nothing: { ...unlimited, decide: () => ({}) },
      refused: { ...unlimited, decide: () => refuse("conflict", "Never.", 10.5) },
      timer: {
        ...unlimited,
        decide: ({ at }, { name, afterMs }) => ({
          timers: { [name]: afterMs === null ? null : at + afterMs },
        }),
      },
      urgent: { ...unlimited, decide: () => ({ events: [{ n: "added", d: { n: 1 } }], urgent: true }) },
      both: {
        ...unlimited,
        decide: () => ({ events: [{ n: "added", d: { n: 1 } }], answer: { told: true } }),
      },
      hide: {
        ...unlimited,
        decide: ({ by }) => ({ private: [{ n: "card", d: { user: by.user, card: 1 } }] }),
      },
      echo: { ...unlimited, decide: (_, { text }) => ({ answer: text }) },
      timers: {
        ...unlimited,
        decide: ({ at }, { count, from }) => ({
          timers: Object.fromEntries(Array.from({ length: count }, (_, n) => [`t${from + n}`, at + 5_000])),
        }),
      },
      hosts: { ...unlimited, who: "host", decide: () => ({ events: [{ n: "added", d: { n: 1 } }] }) },
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
      failIf("joined");
      return {};
    },
    left() {
      failIf("left");
      return {};
    },
    onTimer(_, timer) {
      failIf("due");
      return { events: [{ n: "rang", d: { name: timer } }] };
    },
  });
}

/** The same list with one entry changed: keys are what people are called, so no object is keyed by them. */
function updateEntry<T>(entries: readonly (readonly [string, T])[], user: string, change: (before?: T) => T) {
  const at = entries.findIndex(([holder]) => holder === user);
  if (at < 0) return [...entries, [user, change()] as const];
  return entries.map((entry, index) => (index === at ? ([user, change(entry[1])] as const) : entry));
}
