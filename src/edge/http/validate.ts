import type { z } from "zod";
import { readJsonBody } from "./http-body";
import { type HttpRejection, rejectHttp } from "./http-rejection";

type Validated<S extends z.ZodType> = { ok: true; value: z.output<S> } | HttpRejection;

/** What a request asks in its query: no parameter that is not known, and none twice. */
export function readQuery<S extends z.ZodObject>(request: Request, schema: S): Validated<S> {
  const given = new URL(request.url).searchParams;
  const names = [...given.keys()];
  const unknown = names.find((name) => !Object.hasOwn(schema.shape, name));
  if (unknown !== undefined) {
    return rejectData(
      `${truncateName(unknown)} is not asked here: ${listAllowed(Object.keys(schema.shape))}.`,
    );
  }
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined) return rejectData(`${truncateName(twice)} may be given once.`);
  return validate(schema, Object.fromEntries(given));
}

/** What stands in its address, decoded. */
export function readParams<S extends z.ZodObject>(given: Record<string, string>, schema: S): Validated<S> {
  return validate(schema, given);
}

/** Its body: one JSON object. */
export async function readJson<S extends z.ZodType>(request: Request, schema: S): Promise<Validated<S>> {
  const body = await readJsonBody(request);
  return body.ok ? validate(schema, body.body) : body;
}

function validate<S extends z.ZodType>(schema: S, given: unknown): Validated<S> {
  const parsed = schema.safeParse(given);
  if (parsed.success) return { ok: true, value: parsed.data };
  const [issue] = parsed.error.issues;
  if (issue?.code === "unrecognized_keys") {
    return rejectData(`${truncateName(issue.keys[0] ?? "")} is not asked here.`);
  }
  return rejectData(`${issue?.path.join(".") || "The body"}: ${issue?.message}.`);
}

export function rejectData(message: string): HttpRejection {
  return rejectHttp(400, "bad_data", message);
}

function listAllowed(names: readonly string[]): string {
  if (names.length === 0) return "nothing is";
  return names.length === 1
    ? `only ${names[0]} is`
    : `only ${names.slice(0, -1).join(", ")} and ${names.at(-1)} are`;
}

function truncateName(name: string): string {
  return name.slice(0, 40);
}
