import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

const project = fileURLToPath(new URL("../..", import.meta.url));

/** The files of the composition roots. */
const server = [
  "src/protocol",
  "src/protocol/schema",
  "src/lib",
  "src/text",
  "src/room",
  "src/features",
  "src/kinds",
  "src/identity",
  "src/config",
  "src/edge",
  "src/services",
  "src/platforms",
  "src/ops",
];

/** The import table of docs/architecture.md, run-time imports only: a folder, and what it may import. */
const table: Record<string, readonly string[]> = {
  "src/protocol": [],
  "src/protocol/schema": ["src/protocol", "zod"],
  "src/lib": ["src/protocol"],
  "src/text": ["src/protocol", "src/lib", "obscenity"],
  "src/room": ["src/protocol", "src/lib", "src/text"],
  "src/features": ["src/room/api", "src/protocol", "src/protocol/schema", "src/services/*/contract", "zod"],
  "src/kinds": ["src/features", "src/room/api"],
  "src/identity": ["src/protocol", "src/lib", "src/text", "jose"],
  "src/config": ["src/protocol", "src/lib"],
  "src/edge": [
    "src/identity",
    "src/config",
    "src/protocol",
    "src/protocol/schema",
    "src/lib",
    "src/text",
    "zod",
  ],
  // Of another service only its contract: `mayImport` tells one service from another.
  "src/services": [
    "src/room/api",
    "src/protocol",
    "src/protocol/schema",
    "src/lib",
    "src/config",
    "src/edge/http",
    "src/edge/signed-calls",
    "src/services/*/contract",
    "drizzle-orm",
    "hono",
    "zod",
    // Durable Object classes extend a class of this module.
    "cloudflare:workers",
  ],
  "src/platforms": [
    "src/room",
    "src/edge",
    "src/config",
    "src/protocol",
    "src/lib",
    "partyserver",
    "cloudflare:workers",
  ],
  "src/ops": ["src/config", "src/protocol", "src/lib", "src/services/*/contract"],
  "src/worker": [...server, "src/worker", "hono", "zod"],
  "src/client": ["src/protocol", "src/features/*/state", "partysocket", "react"],
  party: [...server, "src/worker"],
  web: ["src/client", "src/protocol", "src/features/*/state", "partysocket"],
};
const pure = ["src/protocol", "src/room", "src/features", "src/kinds", "src/text", "src/client/session"];

/** Imports that the table forbids and that are still there. The list may only shrink. */
const debts: readonly string[] = [];

/** Import cycles that are still there, each a sorted list of files. The list may only shrink. */
const cycleDebts: readonly (readonly string[])[] = [
  [
    "src/room/commit/committer.ts",
    "src/room/commit/effects.ts",
    "src/room/commit/live-context.ts",
    "src/room/commit/open-frame.ts",
    "src/room/delivery/delivery.ts",
    "src/room/delivery/private-views.ts",
    "src/room/state/room-state.ts",
    "src/room/storage/journal.ts",
    "src/room/storage/record.ts",
  ],
];

const scratch: string[] = [];
afterAll(() => {
  for (const folder of scratch) rmSync(folder, { recursive: true, force: true });
});

describe("the architecture", () => {
  it("code imports at run time only what the table allows", () => {
    expect(sources("src", "party", "web").flatMap(breaches).sort()).toEqual(debts);
  });

  it("the check finds a forbidden import", () => {
    const held = [
      breachesOf("src/room/x.ts", 'import { z } from "zod";'),
      breachesOf("src/features/chat/decide.ts", 'import { x } from "../presence/decide";'),
      breachesOf("src/features/chat/state.ts", 'import { x } from "../../protocol/limits";'),
      breachesOf("src/platforms/x.ts", 'export { x } from "../worker/app";'),
      breachesOf("src/services/bans/x.ts", 'import { x } from "../directory/object";'),
      breachesOf("src/room/x.ts", 'import { DurableObject } from "cloudflare:workers";'),
      breachesOf("src/client/session.ts", 'import PartySocket from "partysocket";'),
      breachesOf("src/client/session/x.ts", 'import PartySocket from "partysocket";'),
      breachesOf("src/client/x.ts", 'import { useRef } from "react";'),
      breachesOf("src/client/x.ts", 'const x = await import("../features/chat/decide");'),
    ];
    expect(held.map((found) => found.length)).toEqual(held.map(() => 1));
    const allowed = [
      breachesOf("src/room/x.ts", 'import type { z } from "zod";'),
      breachesOf("src/services/bans/x.ts", 'import { x } from "../directory/contract";'),
      breachesOf("src/services/bans/x.ts", 'import { x } from "./store";'),
    ];
    expect(allowed.flat()).toEqual([]);
  });

  it("has no import cycle, type imports included", () => {
    const files = sources("src", "party", "web");
    const graph = new Map(files.map((file) => [file, importedFiles(file, read(file), new Set(files))]));
    expect(cyclesOf(graph)).toEqual(cycleDebts);
  });

  it("sees a cycle where there is one", () => {
    const files = new Set(["src/a.ts", "src/b/index.ts", "src/c.tsx", "src/d.ts"]);
    const graph = new Map([
      ["src/a.ts", importedFiles("src/a.ts", 'import type { B } from "./b";', files)],
      ["src/b/index.ts", importedFiles("src/b/index.ts", 'export * from "../c";', files)],
      ["src/c.tsx", importedFiles("src/c.tsx", 'const a = await import("./a");', files)],
      ["src/d.ts", importedFiles("src/d.ts", 'import { a } from "./a";', files)],
    ]);
    expect(cyclesOf(graph)).toEqual([["src/a.ts", "src/b/index.ts", "src/c.tsx"]]);
  });

  it("the pure folders use no clock, randomness, timer or output", () => {
    const found = sources(...pure).flatMap((file) =>
      impurities(read(file)).map((word) => `${file}: ${word}`),
    );
    expect(found).toEqual([]);
  });

  it("the check finds a clock", () => {
    for (const code of [
      "Date.now()",
      "new Date()",
      "Math.random()",
      "crypto.randomUUID()",
      "setTimeout(f, 1)",
      "console.log(1)",
    ]) {
      expect(impurities(code)).toHaveLength(1);
    }
  });
});

describe("an action", () => {
  it("an action with a size and a rate compiles", () => {
    expect(compile("maxBytes: 10, rate: { count: 1, perMs: 1 },")).toBe("");
  });

  it.each([
    ["a size", "rate: { count: 1, perMs: 1 },", "maxBytes"],
    ["a rate", "maxBytes: 10,", "rate"],
  ])("an action does not compile without %s", (_, bounds, missing) => {
    expect(compile(bounds)).toContain(`'${missing}' is missing`);
  });

  it("a signal does not compile without a rate", () => {
    expect(compile("maxBytes: 10, rate: { count: 1, perMs: 1 },", "maxBytes: 10,")).toContain(
      "'rate' is missing",
    );
  });
});

/** Compiles a feature with an action and a signal of these bounds, and returns the compiler's output. */
function compile(action: string, signal = "maxBytes: 10, rate: { count: 1, perMs: 1 },"): string {
  mkdirSync(join(project, ".cache"), { recursive: true });
  const folder = mkdtempSync(join(project, ".cache/types-"));
  scratch.push(folder);
  writeFileSync(
    join(folder, "feature.ts"),
    `import { z } from "zod";
     import { defineFeature } from "../../src/room/api/feature";
     export const bell = defineFeature({
       name: "bell", version: "1",
       schema: { actions: { ring: z.object({}) }, events: { rang: z.object({}) }, signals: { near: z.object({}) } },
       shared: { initial: () => 0, reduce: (rings: number) => rings + 1 },
       actions: { ring: { ${action} decide: () => ({ events: [{ n: "rang", d: {} }] }) } },
       signals: { near: { ${signal} } },
     });`,
  );
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      extends: "../../tsconfig/base.json",
      compilerOptions: {
        composite: false,
        emitDeclarationOnly: false,
        declarationMap: false,
        noEmit: true,
        rootDir: "../..",
      },
      include: ["feature.ts"],
    }),
  );
  try {
    execFileSync(join(project, "node_modules/.bin/tsc"), ["-p", folder], { encoding: "utf8", stdio: "pipe" });
    return "";
  } catch (failure) {
    return (failure as { stdout: string }).stdout;
  }
}

function breaches(file: string): string[] {
  return breachesOf(file, read(file));
}

function breachesOf(file: string, code: string): string[] {
  const from = roomOf(file);
  const isState = /^src\/features\/[^/]+\/state\.ts$/.test(file);
  const isSession = /^src\/client\/session(\.ts$|\/)/.test(file);
  return runTimeImports(code)
    .map((wanted) =>
      wanted.startsWith(".") ? relative(project, resolve(project, dirname(file), wanted)) : wanted,
    )
    .filter((wanted) => {
      if (isState) return true;
      if (isSession && wanted.startsWith("partysocket")) return true;
      if (from === "src/client" && wanted === "react" && !/\/react(\.ts$|\/)/.test(file)) return true;
      return !mayImport(file, from, wanted);
    })
    .map((wanted) => `${file} imports ${wanted}`);
}

function mayImport(file: string, from: string, wanted: string): boolean {
  if (from === "src/features") {
    const feature = dirname(file);
    if (wanted.startsWith(`${feature}/`)) return true;
  } else if (wanted.startsWith("src/") || wanted.startsWith("web/") || wanted.startsWith("party/")) {
    if (roomOf(`${wanted}.ts`) === from && serviceOf(wanted) === serviceOf(file)) return true;
  }
  return (table[from] ?? []).some((allowed) => {
    const pattern = allowed.replace(/[.+]/g, "\\$&").replace("*", "[^/]+");
    const deep = allowed.endsWith("/state") || allowed === "src/room/api/feature" ? "" : "(/.*)?";
    const isWire = allowed === "src/protocol" && wanted.startsWith("src/protocol/schema");
    return !isWire && new RegExp(`^${pattern}${deep}$`).test(wanted);
  });
}

/** The service that a path belongs to, if any. */
function serviceOf(path: string): string | undefined {
  return /^src\/services\/([^/]+)/.exec(path)?.[1];
}

/** The table's folder that a file belongs to: the longest one that contains it. */
function roomOf(file: string): string {
  const rooms = Object.keys(table).filter((room) => file.startsWith(`${room}/`));
  return rooms.sort((a, b) => b.length - a.length)[0] ?? "nowhere";
}

/** Every import, export-from and dynamic import that is not only of types. */
function runTimeImports(code: string): string[] {
  const plain = withoutComments(code);
  const statements = [
    ...plain.matchAll(/(?:^|[\n;])\s*(?:import|export)\s+(type\s+)?([^;"']*?\sfrom\s+)?["']([^"']+)["']/g),
  ];
  const dynamic = [...plain.matchAll(/\bimport\(\s*["']([^"']+)["']\s*\)/g)].map(
    ([, wanted]) => wanted ?? "",
  );
  const loud = statements.filter(([, isType, names]) => !isType && !onlyTypes(names));
  return [...loud.map(([, , , wanted]) => wanted ?? ""), ...dynamic];
}

/** The project's files that a file imports, exports from, or imports dynamically, types included. */
function importedFiles(file: string, code: string, files: ReadonlySet<string>): string[] {
  const relativePaths = [
    ...withoutComments(code).matchAll(
      /(?:\sfrom\s+|(?:^|[\n;])\s*import\s+|\bimport\(\s*)["'](\.[^"']*)["']/g,
    ),
  ].map(([, path]) => relative(project, resolve(project, dirname(file), path ?? "")));
  return relativePaths.flatMap((path) => {
    const candidates = [path, `${path}.ts`, `${path}.tsx`, `${path}/index.ts`];
    return candidates.filter((candidate) => files.has(candidate)).slice(0, 1);
  });
}

/** The strongly connected components with more than one file (Tarjan), each sorted. */
function cyclesOf(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const order = new Map<string, number>();
  const stack: string[] = [];
  const cycles: string[][] = [];
  const visit = (file: string): number => {
    const own = order.size;
    order.set(file, own);
    stack.push(file);
    let low = own;
    for (const next of graph.get(file) ?? []) {
      if (!order.has(next)) low = Math.min(low, visit(next));
      else if (stack.includes(next)) low = Math.min(low, order.get(next) ?? own);
    }
    if (low === own) {
      const component = stack.splice(stack.indexOf(file)).sort();
      if (component.length > 1) cycles.push(component);
    }
    return low;
  };
  for (const file of graph.keys()) if (!order.has(file)) visit(file);
  return cycles.sort();
}

/** `{ type A, type B }` imports nothing at run time. */
function onlyTypes(names: string | undefined): boolean {
  const inside = names && /^\{([^}]*)\}\s+from\s+$/.exec(names)?.[1];
  if (!inside) return false;
  const listed = inside.split(",").map((name) => name.trim());
  return listed.every((name) => name === "" || name.startsWith("type "));
}

function impurities(code: string): string[] {
  const banned =
    /\b(Date\b|Math\.random|crypto\.|setTimeout|setInterval|queueMicrotask|performance\.|console\.)/g;
  return [...withoutComments(code).matchAll(banned)].map(([word]) => word);
}

function withoutComments(code: string): string {
  return code.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[^:"'`])\/\/.*$/gm, "$1");
}

function sources(...places: string[]): string[] {
  return places.flatMap((place) => {
    if (place.endsWith(".ts")) return list(dirname(place)).filter((file) => file === place);
    return list(place).filter((file) => /\.tsx?$/.test(file));
  });
}

function list(folder: string): string[] {
  try {
    return readdirSync(join(project, folder), { recursive: true }).map((file) => join(folder, String(file)));
  } catch {
    // A folder of the table that does not exist yet.
    return [];
  }
}

function read(file: string): string {
  return readFileSync(join(project, file), "utf8");
}
