import { MAX_LISTED_MEMBERS } from "../../protocol/limits";
import { defineFeature, refuse, type Situation } from "../../room/feature";
import { presenceSchema } from "./schema";
import { initial, type PresenceState, reduce, version } from "./state";

/** How often a crowd past the list is counted anew. */
const COUNT_EVERY_MS = 1_000;
const COUNT = "count";

type Seen = Situation<PresenceState, undefined>;

export const presence = defineFeature({
  name: "presence",
  version,
  schema: presenceSchema,
  shared: { initial, reduce },
  actions: {
    set: {
      maxBytes: 1_536,
      // A status follows what a person does, not what their pointer does: that is a signal's work.
      rate: { count: 20, perMs: 10_000 },
      decide({ state, by }, { status, data }) {
        if (!Object.hasOwn(state.members, by.user)) {
          return refuse(
            "unavailable",
            `Only the first ${MAX_LISTED_MEMBERS} members of a room show a status.`,
          );
        }
        const given = {
          ...(status === undefined ? {} : { status }),
          ...(data === undefined ? {} : { data }),
        };
        return { events: [{ n: "changed", d: { user: by.user, ...given } }] };
      },
    },
  },

  /** Listed while there is room in the list and nobody waits for it; counted otherwise. */
  joined(situation, { user, name, role }) {
    const { state, members } = situation;
    const listed = Object.keys(state.members).length;
    const isListed = Object.hasOwn(state.members, user);
    if (isListed || (listed < MAX_LISTED_MEMBERS && listed === members.size - 1)) {
      return { events: [{ n: "joined", d: { user, name, role } }] };
    }
    return countSoon(situation);
  },

  left(situation, { user }) {
    const { state, members } = situation;
    const isListed = Object.hasOwn(state.members, user);
    const othersWait = members.size >= Object.keys(state.members).length;
    return {
      ...(isListed ? { events: [{ n: "left", d: { user } }] } : {}),
      ...(othersWait || !isListed ? countSoon(situation) : {}),
    };
  },

  /** Fills the list with who came first of those outside it, and tells how many there are. */
  due({ state, members }) {
    const free = MAX_LISTED_MEMBERS - Object.keys(state.members).length;
    const waiting = [...members.values()].filter(({ user }) => !Object.hasOwn(state.members, user));
    const listed = waiting
      .slice(0, free)
      .map(({ user, name, role }) => ({ n: "joined" as const, d: { user, name, role } }));
    if (listed.length === 0 && state.count === members.size) return {};
    return { events: [...listed, { n: "counted", d: { count: members.size } }] };
  },
});

/** One timer, however many come and go until it is due. */
function countSoon({ at, timer }: Seen): { timers: Record<string, number> } {
  return { timers: { [COUNT]: timer(COUNT) ?? at + COUNT_EVERY_MS } };
}
