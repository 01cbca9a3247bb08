import { readFileSync } from "node:fs";
import { Validator } from "@seriousme/openapi-schema-validator";
import { describe, expect, it } from "vitest";
import { TYPES, typesOfDocument } from "../../scripts/openapi.mjs";
import { openApiDocument, operations } from "../../src/worker/openapi/openapi";

describe("[C7] the OpenAPI document", () => {
  it("the document is valid by the specification's own schema, and a broken one is not", async () => {
    expect(await new Validator().validate(openApiDocument())).toEqual({ valid: true });
    const spoiled = { ...openApiDocument(), paths: { "/v1/boards": { get: { responses: [] } } } };
    expect(await new Validator().validate(spoiled)).toMatchObject({ valid: false });
  });

  it("the document refers only to parts that exist", () => {
    const text = JSON.stringify(openApiDocument());
    const { components } = openApiDocument() as { components: { schemas: object } };
    const wanted = [...text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(
      ([, name]) => name ?? "",
    );
    expect(wanted.length).toBeGreaterThan(20);
    expect(wanted.filter((name) => !Object.hasOwn(components.schemas, name))).toEqual([]);
    expect(text).not.toContain("$defs");
  });

  it("the document names each route once, and every parameter of each path", () => {
    const ids = operations.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { path, params, query } of operations) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect(Object.keys(params?.shape ?? {}).sort(), path).toEqual(inPath.sort());
      // Only the parameters of /v1 are checked; one route without a query would let any through.
      if (/^\/v1\/(?!batches|errands)/.test(path)) expect(query, path).toBeDefined();
    }
  });

  it("the generated types match the document (`npm run openapi` writes them)", async () => {
    expect(readFileSync(TYPES, "utf8")).toBe(await typesOfDocument());
  });
});
