import { z } from "zod";
import { boardOperations } from "./boards";
import { handOperations } from "./by-hand";
import { refusal } from "./fields";
import { type Answer, type Operation, tags, type Who } from "./operation";
import { roomOperations } from "./rooms";
import { seasonOperations } from "./seasons";
import { batchEntry, serverOperations } from "./servers";
import { upkeepOperations } from "./upkeep";

type Json = Record<string, unknown>;

/** Every route there is; a test holds the worker's to it. */
export const operations: readonly Operation[] = [
  ...boardOperations,
  ...seasonOperations,
  ...handOperations,
  ...upkeepOperations,
  ...roomOperations,
  ...serverOperations,
];

let made: Json | undefined;

/** OpenAPI 3.1, made of the schemas once. */
export function openApiDocument(): Json {
  made ??= placed(make());
  return made;
}

function make(): Json {
  const named: Json = {};
  const paths = pathsOf(named);
  // Nothing refers to it: the envelope is judged alone.
  schemaOf(batchEntry, "input", named);
  return {
    openapi: "3.1.0",
    info: {
      title: "Tallyroom",
      version: "1",
      description:
        "Rooms, boards and what an operator does, over HTTP. What goes over sockets is in docs/protocol.md. Times are milliseconds since the epoch.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/" }],
    tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: named,
      securitySchemes: {
        token: { type: "http", scheme: "bearer", bearerFormat: "JWT", description: "docs/protocol.md, T1" },
        signature: {
          type: "apiKey",
          in: "header",
          name: "Tallyroom-Signature",
          description: "docs/protocol.md, S1",
        },
      },
    },
  };
}

function pathsOf(named: Json): Json {
  const byPath: Record<string, Json> = {};
  for (const operation of operations) {
    const path = byPath[operation.path] ?? {};
    byPath[operation.path] = { ...path, [operation.method]: described(operation, named) };
  }
  return byPath;
}

function described(
  { id, tag, summary, about, who, params, query, body, answers }: Operation,
  named: Json,
): Json {
  const parameters = [...parametersOf("path", params), ...parametersOf("query", query)];
  const answered = (answer: Answer) => answeredBy(answer, named);
  const refusals = { 400: "It makes no sense", ...refusalsOf[who], default: "Anything else" };
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(about === undefined ? {} : { description: about }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { "application/json": { schema: schemaOf(body, "input", named) } },
          },
        }),
    responses: {
      ...mapped(refusals, (text) => answered({ about: text, schema: refusal })),
      ...mapped(answers, answered),
    },
    security: securityOf[who],
  };
}

const refusalsOf: Readonly<Record<Who, Readonly<Record<string, string>>>> = {
  anyone: { 404: "There is none", 429: "Too much from this address" },
  guest: { 403: "Guests are off", 429: "Too much from this address" },
  self: { 401: "No token, or a bad one", 403: "Somebody else's", 404: "There is nothing" },
  host: { 401: "No token, or a bad one", 403: "Not a host of this room", 404: "There is none" },
  admin: { 401: "No token, or a bad one", 403: "Not an admin", 404: "There is none" },
  platform: { 401: "Not signed, or not rightly" },
};
const securityOf: Readonly<Record<Who, readonly Json[]>> = {
  anyone: [],
  guest: [],
  self: [{ token: [] }],
  host: [{ token: [] }],
  admin: [{ token: [] }],
  platform: [{ signature: [] }],
};

function answeredBy({ about, schema, type = "application/json" }: Answer, named: Json): Json {
  if (schema === undefined && type === "application/json") return { description: about };
  return {
    description: about,
    content: { [type]: { schema: schema ? schemaOf(schema, "input", named) : { type: "string" } } },
  };
}

function parametersOf(where: "path" | "query", object: z.ZodObject | undefined): Json[] {
  return Object.entries(object?.shape ?? {}).map(([name, schema]) => {
    const field = schema as z.ZodType;
    // As it is read, and not as it travels: a number is a number.
    const { description, ...told } = schemaOf(field, "output", {});
    return {
      name,
      in: where,
      required: where === "path" || !field.safeParse(undefined).success,
      ...(description === undefined ? {} : { description }),
      schema: told,
    };
  });
}

/** A schema; what has a name (`meta({ id })`) is told once, in `named`, and referred to. */
function schemaOf(schema: z.ZodType, io: "input" | "output", named: Json): Json {
  const {
    $schema: _,
    $defs = {},
    ...told
  } = z.toJSONSchema(schema, {
    io,
    unrepresentable: "any",
    override: ({ jsonSchema }) => forOpenApi(jsonSchema),
  });
  Object.assign(named, $defs);
  const id = z.globalRegistry.get(schema)?.id;
  if (id === undefined) return told;
  named[id] ??= told;
  return { $ref: `#/$defs/${id}` };
}

/** JSON Schema counts code points, as `text` does. */
function forOpenApi(schema: Json): void {
  const { minCodePoints, maxCodePoints } = schema;
  for (const word of ["minCodePoints", "maxCodePoints", "id"]) delete schema[word];
  if (minCodePoints !== undefined) schema.minLength = minCodePoints;
  if (maxCodePoints !== undefined) schema.maxLength = maxCodePoints;
}

/** A document's named schemas stand in one place, and not with each that refers to them. */
function placed(document: Json): Json {
  const text = JSON.stringify(document, (key, value) =>
    key === "$ref" ? String(value).replace("#/$defs/", "#/components/schemas/") : value,
  );
  return JSON.parse(text) as Json;
}

function mapped<T, R>(from: Readonly<Record<string, T>>, to: (value: T) => R): Record<string, R> {
  return Object.fromEntries(Object.entries(from).map(([key, value]) => [key, to(value)]));
}
