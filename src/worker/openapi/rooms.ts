import { z } from "zod";
import { name, time } from "../../edge/http/fields";
import type { Operation } from "../../edge/http/operation";
import { roles } from "../../protocol/codes";
import { doSchema } from "../../protocol/schema/up";

const KIND = "must be a kind of room that this server has";
const ROOM = "must be 1 to 64 of A–Z a–z 0–9 . _ -, and not . or ..";
/** What `room-address.ts` judges: a room's address that makes no sense is no room's, so it is 404 and not 400. */
const roomParams = z.strictObject({
  kind: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,31}$/, { error: KIND })
    .describe("The kind of room: `main`"),
  room: z
    .string()
    .regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/, { error: ROOM })
    .describe("The room's id"),
});
const roomQuery = z.object({
  cursor: z.string().optional().describe("Of those who lead the room: what the page before gave as `cursor`"),
});
const actionBody = doSchema.omit({ t: true });
const guestBody = z.object({
  name: z.string().optional().describe("How they are shown; one is made up if absent"),
  token: z.string().optional().describe("A guest's old token: renews that guest"),
});

export const roomOperations: readonly Operation[] = [
  {
    id: "readRoom",
    method: "get",
    path: "/parties/{kind}/{room}",
    tag: "Rooms",
    summary: "Whether there is such a room, and how many are in it",
    about:
      "404 for a room that does not exist; it does not exist afterwards either. A host of that room and an admin, who bring their token, are also given its members, a thousand at a time.",
    who: "anyone",
    params: roomParams,
    query: roomQuery,
    answers: {
      200: {
        about: "The room",
        schema: z.strictObject({
          kind: z.string(),
          id: z.string(),
          epoch: z.string().describe("The room's life"),
          seq: z.int().min(0).describe("The number of its newest event"),
          users: z.int().min(0),
          connections: z.int().min(0),
          createdAt: time,
          feeds: z.array(z.string()).describe("The boards that its points reach: `main`, `main:hall`"),
          members: z
            .array(
              z.strictObject({
                user: z.string(),
                name,
                role: z.enum(roles),
                guest: z.literal(true).optional(),
                since: time.describe("When they came"),
                connections: z.int().min(0).describe("Open sockets; 0 while they may still come back"),
              }),
            )
            .optional()
            .describe("In the order in which they came; for those who lead the room"),
          cursor: z.string().optional().describe("For the next page"),
        }),
      },
    },
  },
  {
    id: "act",
    method: "post",
    path: "/parties/{kind}/{room}",
    tag: "Rooms",
    summary: "Do an action in the room's name",
    about: "For a host of that room, or an admin. The same `id` again gives the same answer.",
    who: "host",
    params: roomParams,
    body: actionBody,
    answers: {
      200: {
        about: "Done: the number of its event, or what it answers",
        schema: z.union([
          z.strictObject({ seq: z.int(), d: z.unknown().optional() }),
          z.strictObject({ d: z.unknown().optional() }),
        ]),
      },
    },
  },
  {
    id: "closeRoom",
    method: "delete",
    path: "/parties/{kind}/{room}",
    tag: "Rooms",
    summary: "Close a room",
    about: "Everybody is told 4410, and nothing of it stays.",
    who: "host",
    params: roomParams,
    answers: { 200: { about: "It is closed", schema: z.strictObject({ closed: z.literal(true) }) } },
  },
  {
    id: "drainRoom",
    method: "post",
    path: "/parties/{kind}/{room}/drain",
    tag: "Rooms",
    summary: "Drain a room before its process goes",
    about:
      "What it owes goes off, everybody is told 1012 with a time of their own to come back, and nobody is let in until then. Again until `owes` is 0.",
    who: "admin",
    params: roomParams,
    answers: {
      200: {
        about: "It is drained",
        schema: z.strictObject({
          connections: z.int().min(0).describe("Who was sent away"),
          owes: z.int().min(0).describe("What is still under way to the outside"),
          retryAfterMs: z.int().min(0).describe("When it takes people again"),
        }),
      },
    },
  },
  {
    id: "openGuest",
    method: "post",
    path: "/auth/guest",
    tag: "Guests",
    summary: "Come as a guest, or stay the same one",
    who: "guest",
    body: guestBody,
    answers: {
      200: {
        about: "The guest",
        schema: z.strictObject({ token: z.string(), user: z.string(), name, expiresAt: time }),
      },
    },
  },
];
