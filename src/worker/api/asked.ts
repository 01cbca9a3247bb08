import type { z } from "zod";
import { readBody } from "../../platform/edge/http-body";
import { type HttpRefusal, refuseHttp } from "../../platform/edge/http-refusal";

type Read<S extends z.ZodType> = { ok: true; value: z.output<S> } | HttpRefusal;

/** What a request asks in its query: no parameter that is not known, and none twice. */
export function readQuery<S extends z.ZodObject>(request: Request, schema: S): Read<S> {
  const given = new URL(request.url).searchParams;
  const names = [...given.keys()];
  const unknown = names.find((name) => !Object.hasOwn(schema.shape, name));
  if (unknown !== undefined) {
    return badData(`${shown(unknown)} is not asked here: ${expected(Object.keys(schema.shape))}.`);
  }
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined) return badData(`${shown(twice)} may be given once.`);
  return judged(schema, Object.fromEntries(given));
}

/** What stands in its address, decoded. */
export function readParams<S extends z.ZodObject>(given: Record<string, string>, schema: S): Read<S> {
  return judged(schema, given);
}

/** Its body: one JSON object. */
export async function readJson<S extends z.ZodType>(request: Request, schema: S): Promise<Read<S>> {
  const read = await readBody(request);
  return read.ok ? judged(schema, read.body) : read;
}

function judged<S extends z.ZodType>(schema: S, given: unknown): Read<S> {
  const read = schema.safeParse(given);
  if (read.success) return { ok: true, value: read.data };
  const [issue] = read.error.issues;
  if (issue?.code === "unrecognized_keys") {
    return badData(`${shown(issue.keys[0] ?? "")} is not asked here.`);
  }
  return badData(`${issue?.path.join(".") || "The body"}: ${issue?.message}.`);
}

export function badData(message: string): HttpRefusal {
  return refuseHttp(400, "bad_data", message);
}

function expected(names: readonly string[]): string {
  if (names.length === 0) return "nothing is";
  return names.length === 1
    ? `only ${names[0]} is`
    : `only ${names.slice(0, -1).join(", ")} and ${names.at(-1)} are`;
}

function shown(name: string): string {
  return name.slice(0, 40);
}
