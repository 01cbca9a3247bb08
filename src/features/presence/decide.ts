import { MAX_LISTED_MEMBERS } from "../../protocol/limits";
import { rateOf } from "../../protocol/rates";
import { defineFeature, type FeatureContext, refuse } from "../../room/api/feature";
import type { Member } from "../../room/state/members";
import { presenceSchema } from "./schema";
import { initial, type PresenceState, reduce, version } from "./state";

/** How often a crowd past the list is counted anew. */
const COUNT_EVERY_MS = 1_000;
const COUNT = "count";
/** A frame bears no more, should their ids be the longest that there are. */
const LISTED_AT_ONCE = 100;

type Context = FeatureContext<PresenceState, undefined>;

export const presence = defineFeature({
  name: "presence",
  version,
  schema: presenceSchema,
  shared: { initial, reduce },
  actions: {
    set: {
      maxBytes: 1_536,
      rate: rateOf("presence.set"),
      // Clearing it says nothing, and `data` is for programs.
      speaks: ({ status }) => status !== undefined && status !== "",
      decide({ state, by, filterText: clean }, { status, data }) {
        if (!Object.hasOwn(state.members, by.user)) {
          return refuse(
            "unavailable",
            `Only the first ${MAX_LISTED_MEMBERS} members of a room show a status.`,
          );
        }
        const told = status === undefined ? undefined : clean(status);
        if (told === undefined && status !== undefined) {
          return refuse("not_allowed", "That has words in it that are not said here.");
        }
        const given = {
          ...(told === undefined ? {} : { status: told }),
          ...(data === undefined ? {} : { data }),
        };
        return { events: [{ n: "changed", d: { user: by.user, ...given } }] };
      },
    },
  },

  /** Listed while there is room in the list and nobody waits for it; counted otherwise. */
  joined(situation, member) {
    const { user } = member;
    const { state, members } = situation;
    const listed = Object.keys(state.members).length;
    const isListed = Object.hasOwn(state.members, user);
    if (isListed || (listed < MAX_LISTED_MEMBERS && listed === members.size - 1)) {
      return { events: [{ n: "joined", d: publicMember(member) }] };
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
  onTimer({ state, members, at }) {
    const free = MAX_LISTED_MEMBERS - Object.keys(state.members).length;
    const waiting = [...members.values()].filter(({ user }) => !Object.hasOwn(state.members, user));
    const listed = waiting
      .slice(0, Math.min(free, LISTED_AT_ONCE))
      .map((member) => ({ n: "joined" as const, d: publicMember(member) }));
    if (listed.length === 0 && state.count === members.size) return {};
    const goesOn = listed.length < Math.min(free, waiting.length);
    return {
      events: [...listed, { n: "counted", d: { count: members.size } }],
      ...(goesOn ? { timers: { [COUNT]: at + COUNT_EVERY_MS } } : {}),
    };
  },
});

/** What everybody may know of a member. */
function publicMember({ user, name, role, guest }: Member): Pick<Member, "user" | "name" | "role" | "guest"> {
  return { user, name, role, ...(guest ? { guest } : {}) };
}

/** One timer, however many come and go until it is due. */
function countSoon({ at, timer }: Context): { timers: Record<string, number> } {
  return { timers: { [COUNT]: timer(COUNT) ?? at + COUNT_EVERY_MS } };
}
