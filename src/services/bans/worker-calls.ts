import { z } from "zod";
import { roles } from "../../protocol/codes";

const roomRef = z.object({ kind: z.string().min(1), id: z.string().min(1) });

/** The bodies of the signed calls that edges and rooms on PartyKit send to the worker. */
export const bansCall = z.object({ user: z.string().min(1), room: z.string().min(1) });
export const effectCall = z.object({ room: roomRef, ask: z.json() });

export const bansInForce = z.object({
  askedAt: z.number(),
  bans: z.array(
    z.object({
      scope: z.enum(["room", "everywhere"]),
      reason: z.string().optional(),
      untilMs: z.number().optional(),
      rank: z.enum(roles).optional(),
    }),
  ),
});
