import { Hono } from "hono";
import { noQuery } from "../../edge/http/fields";
import { rejectHttp, rejectionResponse } from "../../edge/http/http-rejection";
import { readQuery } from "../../edge/http/validate";
import type { CloudflareEnv } from "../env";
import { docsPage } from "./docs-page";
import { openApiDocument } from "./openapi";

/** An hour: the document changes only with a release. */
const CACHE_CONTROL = "public, max-age=3600";

/** The OpenAPI document, and a page made from it. */
export function openApiRoutes() {
  const app = new Hono<{ Bindings: CloudflareEnv }>();
  app.get("/v1/openapi.json", ({ req }) => {
    const query = readQuery(req.raw, noQuery);
    if (!query.ok) return rejectionResponse(query);
    return Response.json(openApiDocument(), { headers: { "Cache-Control": CACHE_CONTROL } });
  });
  app.get("/v1/docs", async ({ req }) => {
    const query = readQuery(req.raw, noQuery);
    if (!query.ok) return rejectionResponse(query);
    return new Response(String(await docsPage(openApiDocument())), {
      headers: {
        "Content-Type": "text/html; charset=UTF-8",
        "Cache-Control": CACHE_CONTROL,
        // Our own styles and icon, and no scripts.
        "Content-Security-Policy":
          "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'",
      },
    });
  });
  app.get("/docs", () => new Response(null, { status: 308, headers: { Location: "/v1/docs" } }));
  for (const path of ["/v1/openapi.json", "/v1/docs", "/docs"]) {
    app.all(path, () =>
      rejectionResponse(
        rejectHttp(405, "bad_action", "Method not allowed. Use GET.", { Allow: "GET, HEAD" }),
      ),
    );
  }
  return app;
}
