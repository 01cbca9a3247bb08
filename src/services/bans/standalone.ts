import type { EffectHandlers } from "../../lib/effect-handler";

/** What moderation's effects do without a ban service: nothing. A room's bans then last as long as the room. */
export const standaloneBanHandlers: EffectHandlers = {
  "moderation/places": async (_, request) => {
    const { came, gone } = request as { came: { user: string }[]; gone: string[] };
    return { askedAt: 0, came: came.map(({ user }) => user), gone, bans: [] };
  },
  "moderation/bans": async (_, request) => {
    const { writes } = request as { writes: { n: number }[] };
    return { askedAt: 0, done: writes.map(({ n }) => n) };
  },
};
