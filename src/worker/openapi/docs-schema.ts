import { html } from "hono/html";
import type { HtmlEscapedString } from "hono/utils/html";

export type Json = Record<string, unknown>;
type Html = HtmlEscapedString | Promise<HtmlEscapedString>;

interface Schema {
  $ref?: string;
  type?: string | string[];
  const?: unknown;
  enum?: unknown[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  description?: string;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
}

/** A schema in a word or two, with a link where it has a name. */
export function renderType(schema: Schema): Html {
  const { $ref, items, anyOf, oneOf } = schema;
  if ($ref !== undefined) {
    const name = $ref.slice($ref.lastIndexOf("/") + 1);
    return html`<a href="#shape-${name}">${name}</a>`;
  }
  if (items !== undefined) return html`list of ${renderType(items)}`;
  const either = anyOf ?? oneOf;
  if (either) return html`${either.map((one, at) => html`${at === 0 ? "" : " or "}${renderType(one)}`)}`;
  return html`${describeType(schema)}${describeBounds(schema)}`;
}

/** The fields of an object, one a line; those of objects within it below their own. */
export function renderFields(schema: Schema): Html {
  const either = schema.anyOf ?? schema.oneOf;
  if (either) {
    return html`${either.map((one, at) => html`${at === 0 ? "" : html`<p class="docs-or">or</p>`}${renderFields(one)}`)}`;
  }
  const { properties, required = [] } = schema;
  if (!properties || Object.keys(properties).length === 0) {
    return html`<p class="docs-type">${schema.properties ? "any object" : renderType(schema)}</p>`;
  }
  return html`<dl class="docs-fields">
    ${Object.entries(properties).map(
      ([name, field]) => html`<div>
        <dt>
          <code>${name}</code>${required.includes(name) ? "" : html`<span class="docs-optional">optional</span>`}
        </dt>
        <dd>
          <span class="docs-type">${renderType(field)}</span>
          ${renderProse(field.description)} ${renderNestedFields(field)}
        </dd>
      </div>`,
    )}
  </dl>`;
}

/** What stands between backticks, as code. */
export function renderProse(text = ""): Html {
  return html`${text.split("`").map((part, at) => (at % 2 === 0 ? part : html`<code>${part}</code>`))}`;
}

function renderNestedFields(field: Schema): Html | string {
  const inner = field.items ?? field;
  return inner.properties && Object.keys(inner.properties).length > 0 ? renderFields(inner) : "";
}

function describeType({ type, const: only, enum: some }: Schema): string {
  if (only !== undefined) return JSON.stringify(only);
  if (some) return some.map((one) => JSON.stringify(one)).join(" or ");
  if (type === undefined) return "any JSON";
  return [type].flat().join(" or ");
}

/** Bounds that are only those of exact numbers say nothing. */
function describeBounds({ minimum, maximum, minLength, maxLength, default: fallback }: Schema): string {
  const min = minimum ?? minLength;
  const max = maximum ?? maxLength;
  const isBounded = max !== undefined && max < 100_000;
  const range = isBounded ? `, ${min ?? 0} to ${max}${maxLength === undefined ? "" : " characters"}` : "";
  return range + (fallback === undefined ? "" : `, ${JSON.stringify(fallback)} if absent`);
}
