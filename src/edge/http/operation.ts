import type { z } from "zod";

export const tags = {
  Boards: "Rankings that everybody may read.",
  Seasons: "Spans that an admin opens on a board.",
  "By hand": "What an admin corrects, bans, mends and erases.",
  Rooms: "Rooms over HTTP. Live, they are spoken to on a socket: docs/protocol.md.",
  Guests: "People without a token.",
  State: "How the deployment is.",
  Platforms: "What one of our servers asks of another, signed.",
} as const;

/** Who may call: `self` is the user it is about, or an admin; `platform` signs its call. */
export type Audience = "anyone" | "guest" | "self" | "host" | "admin" | "platform";

export interface ResponseSpec {
  about: string;
  schema?: z.ZodType;
  /** `application/json` if absent. */
  type?: string;
}

/** One route as data. Its schemas validate requests, and the OpenAPI document is made from them. */
export interface Operation {
  id: string;
  method: "get" | "post" | "put" | "delete";
  /** In OpenAPI's form: `/v1/boards/{board}`. */
  path: string;
  tag: keyof typeof tags;
  summary: string;
  about?: string;
  who: Audience;
  params?: z.ZodObject;
  query?: z.ZodObject;
  body?: z.ZodType;
  answers: Readonly<Record<number, ResponseSpec>>;
}
