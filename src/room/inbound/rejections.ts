import type { ErrorCode } from "../../protocol/codes";
import { MAX_ISSUES } from "../../protocol/limits";
import type { Issue, Nack } from "../../protocol/messages";
import type { Rate } from "../../protocol/rates";
import type { Refusal } from "../api/feature";

/** Everything of a `nack` but the id it answers. */
export type Rejection = Omit<Nack, "t" | "id">;

export function rejection(
  code: ErrorCode,
  message: string,
  more: Partial<Pick<Nack, "retryAfterMs" | "info">> = {},
): Rejection {
  return { code, message, ...more };
}

export function toRejection({ refused: code, message, retryAfterMs }: Refusal): Rejection {
  return { code, message, ...(retryAfterMs === undefined ? {} : { retryAfterMs: Math.ceil(retryAfterMs) }) };
}

export function rateLimited(rule: string, rate: Rate, waitMs: number): Rejection {
  const retryAfterMs = Math.ceil(waitMs);
  const many = `${rate.count} in ${rate.perMs / 1000} s`;
  return rejection(
    "rate_limited",
    `That is more than ${many}; try again in ${(retryAfterMs / 1000).toFixed(1)} s.`,
    {
      retryAfterMs,
      info: { rule, limit: { count: rate.count, perMs: rate.perMs } },
    },
  );
}

export function badData(
  rule: string,
  issues: readonly { path: readonly PropertyKey[]; message: string }[],
): Rejection {
  const shown: Issue[] = issues.slice(0, MAX_ISSUES).map(({ path, message }) => ({
    path: path.map(String).join(".").slice(0, 100),
    message: message.slice(0, 200),
  }));
  return rejection("bad_data", `The data of ${rule} is not what it takes.`, {
    info: { rule, issues: shown },
  });
}

/** A throw is a bug: told as such, without a word of it. */
export const internalError = rejection(
  "internal",
  "Something went wrong here. It has been noted; nothing was changed.",
);
