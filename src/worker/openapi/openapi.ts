import { z } from "zod";
import { rejectionSchema } from "../../edge/http/fields";
import { type Audience, type Operation, type ResponseSpec, tags } from "../../edge/http/operation";
import { banOperations } from "../../services/bans/api";
import { boardOperations } from "../../services/boards/routes/api/boards";
import { correctionOperations } from "../../services/boards/routes/api/corrections";
import { deadLetterOperations } from "../../services/boards/routes/api/dead-letters";
import { seasonOperations } from "../../services/boards/routes/api/seasons";
import { roomOperations } from "./rooms";
import { batchEntry, serverOperations } from "./servers";

type Json = Record<string, unknown>;

/** Every route there is; a test holds the worker's to it. */
export const operations: readonly Operation[] = [
  ...boardOperations,
  ...seasonOperations,
  ...correctionOperations,
  ...banOperations,
  ...deadLetterOperations,
  ...roomOperations,
  ...serverOperations,
];

let document: Json | undefined;

/** OpenAPI 3.1, made of the schemas once. */
export function openApiDocument(): Json {
  document ??= hoistSchemas(buildDocument());
  return document;
}

function buildDocument(): Json {
  const named: Json = {};
  const paths = pathsOf(named);
  // Nothing refers to it: the envelope is judged alone.
  toJsonSchema(batchEntry, "input", named);
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
    byPath[operation.path] = { ...path, [operation.method]: describeOperation(operation, named) };
  }
  return byPath;
}

function describeOperation(
  { id, tag, summary, about, who, params, query, body, answers }: Operation,
  named: Json,
): Json {
  const parameters = [...describeParameters("path", params), ...describeParameters("query", query)];
  const toResponse = (answer: ResponseSpec) => describeResponse(answer, named);
  const rejections = { 400: "It makes no sense", ...rejectionTexts[who], default: "Anything else" };
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
            content: { "application/json": { schema: toJsonSchema(body, "input", named) } },
          },
        }),
    responses: {
      ...mapValues(rejections, (text) => toResponse({ about: text, schema: rejectionSchema })),
      ...mapValues(answers, toResponse),
    },
    security: securityByAudience[who],
  };
}

const rejectionTexts: Readonly<Record<Audience, Readonly<Record<string, string>>>> = {
  anyone: { 404: "There is none", 429: "Too much from this address" },
  guest: { 403: "Guests are off", 429: "Too much from this address" },
  self: { 401: "No token, or a bad one", 403: "Somebody else's", 404: "There is nothing" },
  host: { 401: "No token, or a bad one", 403: "Not a host of this room", 404: "There is none" },
  admin: { 401: "No token, or a bad one", 403: "Not an admin", 404: "There is none" },
  platform: { 401: "Not signed, or not rightly" },
};
const securityByAudience: Readonly<Record<Audience, readonly Json[]>> = {
  anyone: [],
  guest: [],
  self: [{ token: [] }],
  host: [{ token: [] }],
  admin: [{ token: [] }],
  platform: [{ signature: [] }],
};

function describeResponse({ about, schema, type = "application/json" }: ResponseSpec, named: Json): Json {
  if (schema === undefined && type === "application/json") return { description: about };
  return {
    description: about,
    content: { [type]: { schema: schema ? toJsonSchema(schema, "input", named) : { type: "string" } } },
  };
}

function describeParameters(where: "path" | "query", object: z.ZodObject | undefined): Json[] {
  return Object.entries(object?.shape ?? {}).map(([name, schema]) => {
    const field = schema as z.ZodType;
    // As it is read, and not as it travels: a number is a number.
    const { description, ...parameterSchema } = toJsonSchema(field, "output", {});
    return {
      name,
      in: where,
      required: where === "path" || !field.safeParse(undefined).success,
      ...(description === undefined ? {} : { description }),
      schema: parameterSchema,
    };
  });
}

/** A schema; what has a name (`meta({ id })`) is told once, in `named`, and referred to. */
function toJsonSchema(schema: z.ZodType, io: "input" | "output", named: Json): Json {
  const {
    $schema: _,
    $defs = {},
    ...jsonSchema
  } = z.toJSONSchema(schema, {
    io,
    unrepresentable: "any",
    override: ({ jsonSchema }) => forOpenApi(jsonSchema),
  });
  Object.assign(named, $defs);
  const id = z.globalRegistry.get(schema)?.id;
  if (id === undefined) return jsonSchema;
  named[id] ??= jsonSchema;
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
function hoistSchemas(document: Json): Json {
  const text = JSON.stringify(document, (key, value) =>
    key === "$ref" ? String(value).replace("#/$defs/", "#/components/schemas/") : value,
  );
  return JSON.parse(text) as Json;
}

function mapValues<T, R>(from: Readonly<Record<string, T>>, to: (value: T) => R): Record<string, R> {
  return Object.fromEntries(Object.entries(from).map(([key, value]) => [key, to(value)]));
}
