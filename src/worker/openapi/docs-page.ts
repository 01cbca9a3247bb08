import { html } from "hono/html";
import type { HtmlEscapedString } from "hono/utils/html";
import { type Audience, type Operation, tags } from "../../edge/http/operation";
import { type Json, renderFields, renderProse, renderType } from "./docs-schema";
import { operations } from "./openapi";

type Html = HtmlEscapedString | Promise<HtmlEscapedString>;

const icon =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect width='32' height='32' rx='8' fill='%230f6b52'/%3E%3Cpath d='M9 8v16M14 8v16M19 8v16M24 8v16M5 21 28 11' stroke='%23fff' stroke-width='2.4' stroke-linecap='round'/%3E%3C/svg%3E";

/** The document for people: no script, and nothing from anywhere but this origin. */
export function docsPage(document: Json): Html {
  const { info, paths, components } = document as {
    info: { title: string; description: string };
    paths: Record<string, Record<string, Json>>;
    components: { schemas: Record<string, Json> };
  };
  const groups = Object.entries(tags).map(([tag, about]) => ({
    tag,
    about,
    all: operations.filter((operation) => operation.tag === tag),
  }));
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <title>${info.title}: the HTTP interface</title>
    <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover" />
    <meta name="description" content="Every route of a Tallyroom server, what it takes and what it answers." />
    <meta name="color-scheme" content="light dark" />
    <meta name="theme-color" content="#f5f7f5" media="(prefers-color-scheme: light)" />
    <meta name="theme-color" content="#101614" media="(prefers-color-scheme: dark)" />
    <link rel="icon" href="${icon}" />
    <link rel="stylesheet" href="/style.css" />
    <link rel="stylesheet" href="/docs.css" />
  </head>
  <body class="docs">
    <header class="docs-head">
      <p class="docs-brand">
        <svg class="docs-mark" viewBox="0 0 32 24" aria-hidden="true">
          <path d="M7.2 3.2 6.8 20.6M12.9 2.8l.3 18.2M18.8 3.4l-.3 17.4M24.4 2.9l.4 17.8M2.4 17.8l27-11.4" />
        </svg>
        ${info.title}
      </p>
      <h1>The HTTP interface</h1>
      <p class="docs-lead">${info.description}</p>
      <p><a href="/v1/openapi.json">As an OpenAPI 3.1 document</a></p>
    </header>
    <nav class="docs-nav" aria-label="Routes">
      ${groups.map(
        ({ tag, all }) => html`<section>
          <h2><a href="#${slug(tag)}">${tag}</a></h2>
          <ul>
            ${all.map(({ id, summary }) => html`<li><a href="#${id}">${summary}</a></li>`)}
          </ul>
        </section>`,
      )}
      <section><h2><a href="#schemas">Shapes</a></h2></section>
    </nav>
    <main class="docs-main">
      ${groups.map(
        ({ tag, about, all }) => html`<section class="docs-group" aria-labelledby="${slug(tag)}">
          <h2 id="${slug(tag)}">${tag}</h2>
          <p class="docs-lead">${about}</p>
          ${all.map((operation) => renderRoute(operation, paths[operation.path]?.[operation.method] ?? {}))}
        </section>`,
      )}
      <section class="docs-group" aria-labelledby="schemas">
        <h2 id="schemas">Shapes</h2>
        <p class="docs-lead">What several routes speak of.</p>
        ${Object.entries(components.schemas).map(
          ([name, schema]) => html`<article class="docs-card" id="shape-${name}">
            <h3>${name}</h3>
            ${renderFields(schema)}
          </article>`,
        )}
      </section>
    </main>
  </body>
</html>`;
}

const audienceText: Readonly<Record<Audience, string>> = {
  anyone: "Anyone",
  guest: "Anyone, where guests are on",
  self: "The person, or an admin",
  host: "A host of the room, or an admin",
  admin: "An admin",
  platform: "A server of ours",
};

interface OperationObject {
  parameters?: { name: string; in: string; required: boolean; description?: string; schema: Json }[];
  requestBody?: { content: { "application/json": { schema: Json } } };
  responses?: Record<string, { description: string; content?: Record<string, { schema: Json }> }>;
}

function renderRoute({ id, method, path, summary, about, who }: Operation, described: OperationObject): Html {
  const { parameters = [], requestBody, responses = {} } = described;
  return html`<article class="docs-card" id="${id}">
    <h3>${summary}</h3>
    <p class="docs-route"><span class="docs-method docs-${method}">${method.toUpperCase()}</span> <code>${path}</code></p>
    <p class="docs-who">${audienceText[who]}</p>
    ${about === undefined ? "" : html`<p>${renderProse(about)}</p>`}
    ${
      parameters.length === 0
        ? ""
        : html`<h4>Parameters</h4>
          <dl class="docs-fields">
            ${parameters.map(
              (one) => html`<div>
                <dt><code>${one.name}</code>${one.required ? "" : html`<span class="docs-optional">optional</span>`}</dt>
                <dd>
                  <span class="docs-type">${renderType(one.schema)}</span>
                  ${renderProse(one.description)}
                </dd>
              </div>`,
            )}
          </dl>`
    }
    ${
      requestBody === undefined
        ? ""
        : html`<h4>Body</h4>
          ${renderFields(requestBody.content["application/json"].schema)}`
    }
    <h4>Answers</h4>
    ${Object.entries(responses).map(([status, answer]) => renderResponse(status, answer))}
  </article>`;
}

function renderResponse(
  status: string,
  { description, content = {} }: NonNullable<OperationObject["responses"]>[string],
): Html {
  const [[type, media] = []] = Object.entries(content);
  const head = html`<span class="docs-status">${status === "default" ? "else" : status}</span> ${description}`;
  if (media === undefined) return html`<p class="docs-answer">${head}</p>`;
  if (type !== "application/json" || "$ref" in media.schema) {
    return html`<p class="docs-answer">
      ${head} <span class="docs-type">${type === "application/json" ? renderType(media.schema) : type}</span>
    </p>`;
  }
  return html`<details class="docs-answer" ${status === "200" ? "open" : ""}>
    <summary>${head}</summary>
    ${renderFields(media.schema)}
  </details>`;
}

function slug(tag: string): string {
  return tag.toLowerCase().replaceAll(" ", "-");
}
