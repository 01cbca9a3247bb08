import type { z } from "zod";
import { readJsonBody } from "./http-body";
import { type HttpRejection, rejectHttp } from "./http-rejection";

type Validated<S extends z.ZodType> = { ok: true; value: z.output<S> } | HttpRejection;

/** Reads a query. It must have no unknown parameter, and none twice. */
export function readQuery<S extends z.ZodObject>(request: Request, schema: S): Validated<S> {
  const given = new URL(request.url).searchParams;
  const names = [...given.keys()];
  const unknown = names.find((name) => !Object.hasOwn(schema.shape, name));
  if (unknown !== undefined) {
    const allowed = Object.keys(schema.shape).join(", ") || "none";
    return rejectData(`Unknown parameter \`${truncateName(unknown)}\`. Allowed: ${allowed}.`);
  }
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined) return rejectData(`Parameter \`${truncateName(twice)}\` may be given only once.`);
  return validate(schema, Object.fromEntries(given));
}

/** Reads the decoded parameters of a path. */
export function readParams<S extends z.ZodObject>(given: Record<string, string>, schema: S): Validated<S> {
  return validate(schema, given);
}

/** Reads a body of one JSON object. */
export async function readJson<S extends z.ZodType>(request: Request, schema: S): Promise<Validated<S>> {
  const body = await readJsonBody(request);
  return body.ok ? validate(schema, body.body) : body;
}

function validate<S extends z.ZodType>(schema: S, given: unknown): Validated<S> {
  const parsed = schema.safeParse(given);
  if (parsed.success) return { ok: true, value: parsed.data };
  const [issue] = parsed.error.issues;
  if (issue?.code === "unrecognized_keys") {
    return rejectData(`Unknown field \`${truncateName(issue.keys[0] ?? "")}\`.`);
  }
  return rejectData(`${issue?.path.join(".") || "The body"}: ${issue?.message}.`);
}

export function rejectData(message: string): HttpRejection {
  return rejectHttp(400, "bad_data", message);
}

function truncateName(name: string): string {
  return name.slice(0, 40);
}
