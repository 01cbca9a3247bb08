// `npm run openapi`: writes the types that openapi-typescript makes of our own document, for the tests that read a board
// through a generated client. A test holds them to the document.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import openapiTypes from "openapi-typescript";
import { PROJECT } from "./project.mjs";
import { importTypeScript } from "./typescript.mjs";

export const TYPES = join(PROJECT, "test/support/openapi-types.ts");

/** The module as the document has it now. */
export async function typesOfDocument() {
  const { openApiDocument } = await importTypeScript("src/worker/openapi/openapi.ts");
  const types = await openapiTypes(openApiDocument(), { commentHeader: HEADER });
  return types.replace(/\n+$/, "\n");
}

const HEADER = "// Written by `npm run openapi` from the worker's own document.\n\n";

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(TYPES, await typesOfDocument());
