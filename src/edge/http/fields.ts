import { z } from "zod";
import { isUserId } from "../../identity/user-id";
import { errorCodes } from "../../protocol/codes";
import { MAX_NAME_CHARS, MAX_POINTS, MAX_TIME_MS, MAX_USER_CHARS } from "../../protocol/limits";

/** Of a query: digits, and no more of them than are needed. */
export function wholeNumber(min: number, max: number, fallback: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  return z
    .string({ error })
    .regex(/^\d{1,4}$/, { error })
    .transform(Number)
    .pipe(z.int({ error }).min(min, { error }).max(max, { error }))
    .default(fallback);
}

/** Told of a period that makes no sense at all; what a board has, it says itself. */
const PERIOD =
  "must be one of all, day, week or season, or a past one: day:YYYY-MM-DD, week:YYYY-MM-DD (a Monday), season:<name>";
export const period = z
  .string({ error: PERIOD })
  .regex(/^(all|(day|week)(:\d{4}-\d\d-\d\d)?|season(:[a-z0-9][a-z0-9-]{0,31})?)$/, { error: PERIOD })
  .describe(
    "`all`, `day`, `week`, `season` (the present ones), `day:2026-11-20`, `week:2026-11-16`, `season:<name>`",
  );

const BOARD = "must be a board's name such as main, or a room's own such as main:hall";
export const board = z
  .string({ error: BOARD })
  .regex(/^[a-z][a-z0-9-]{0,31}(:(?!\.{1,2}$)[A-Za-z0-9._-]{1,64})?$/, { error: BOARD })
  .describe("A kind's board (`main`) or a room's own (`main:hall`)");

const DECLARED = "must be a board as a kind declares it, such as main";
export const declaredBoard = z
  .string({ error: DECLARED })
  .regex(/^[a-z][a-z0-9-]{0,31}$/, { error: DECLARED })
  .describe("A board as a kind declares it");

const SEASON = "must be 1 to 32 small letters, digits and dashes";
export const season = z
  .string({ error: SEASON })
  .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, { error: SEASON })
  .describe("The season's name");

const USER = `must be a user id: 1 to ${MAX_USER_CHARS} characters, none of them a control character`;
export const user = z
  .string({ error: USER })
  .refine(isUserId, { error: USER })
  .meta({ minLength: 1, maxLength: MAX_USER_CHARS, description: "A user id; percent-encoded in an address" });

/** Path or query parameters that name one user. */
export const userParams = z.strictObject({ user });
/** No query parameter is allowed. */
export const noQuery = z.strictObject({});

const NUMBER = "must be a number of up to 15 digits";
export const number = z.string({ error: NUMBER }).regex(/^\d{1,15}$/, { error: NUMBER });

export const name = z.string().meta({ description: `1 to ${MAX_NAME_CHARS} characters` });
export const points = z.int().min(-MAX_POINTS).max(MAX_POINTS);
export const time = z.int().min(0).max(MAX_TIME_MS).describe("Milliseconds since the epoch");

export const rejectionSchema = z
  .object({
    code: z.enum(errorCodes),
    message: z.string().describe("A sentence that a person understands"),
    retryAfterMs: z.int().optional().describe("When asking again may help; `Retry-After` says it in seconds"),
    info: z.unknown().optional(),
  })
  .meta({ id: "Refusal", description: "Why it was refused" });
