import { Hono } from "hono";
import type { CloudflareEnv } from "../platform/cloudflare";
import { refusalResponse, refuseHttp } from "../platform/edge/http-refusal";
import { readQuery } from "./api/asked";
import { noQuery } from "./api/boards";
import { openApiDocument } from "./api/document";
import { docsPage } from "./docs-page";

/** An hour: it changes with a release alone. */
const CACHE = "public, max-age=3600";

/** What there is to ask, for programs and for people. */
export function documentRoutes() {
  const app = new Hono<{ Bindings: CloudflareEnv }>();
  app.get("/v1/openapi.json", ({ req }) => {
    const query = readQuery(req.raw, noQuery);
    if (!query.ok) return refusalResponse(query);
    return Response.json(openApiDocument(), { headers: { "Cache-Control": CACHE } });
  });
  app.get("/v1/docs", async ({ req }) => {
    const query = readQuery(req.raw, noQuery);
    if (!query.ok) return refusalResponse(query);
    return new Response(String(await docsPage(openApiDocument())), {
      headers: {
        "Content-Type": "text/html; charset=UTF-8",
        "Cache-Control": CACHE,
        // Styles and a picture of our own, and nothing that runs.
        "Content-Security-Policy":
          "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'",
      },
    });
  });
  app.get("/docs", () => new Response(null, { status: 308, headers: { Location: "/v1/docs" } }));
  for (const path of ["/v1/openapi.json", "/v1/docs", "/docs"]) {
    app.all(path, () =>
      refusalResponse(refuseHttp(405, "bad_action", "Here is answered: GET.", { Allow: "GET, HEAD" })),
    );
  }
  return app;
}
