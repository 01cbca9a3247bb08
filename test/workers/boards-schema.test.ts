import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";

describe("the shipped migrations", () => {
  it("the migrations make WITHOUT ROWID tables, so that a new row is written once", async () => {
    const { results } = await env.DB.prepare(
      "select name, sql from sqlite_master where type = 'table' and name not like 'sqlite_%' and name not like '_cf_%' and name <> 'd1_migrations'",
    ).all<{ name: string; sql: string }>();
    const withRowid = results.filter(({ sql }) => !/WITHOUT ROWID$/.test(sql)).map(({ name }) => name);
    expect(withRowid.sort()).toEqual(["corrections", "rankings", "set_aside"]);
    expect(results.length).toBe(10);
  });
});
