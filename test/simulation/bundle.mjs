import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const project = join(here, "../..");
const GLOBALS = ["Date", "setTimeout", "clearTimeout", "console", "crypto", "Math", "Response"];

/**
 * The simulator and the code it runs, in one file: the constants of `limits.ts` made settable, the platform's globals those of the
 * simulation, and a mutant's changes.
 * @param {string} outfile
 * @param {{ file: string, find: string, put: string }[]} changes
 */
export async function bundle(outfile, changes = []) {
  const missed = new Set(changes);
  await build({
    entryPoints: [join(here, "simulate.ts")],
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    outfile,
    external: ["sql.js"],
    logLevel: "warning",
    plugins: [
      {
        name: "simulation",
        setup(setup) {
          setup.onResolve({ filter: /\/settable-limits$/ }, () => ({
            path: join(project, "src/protocol/limits.ts"),
          }));
          setup.onLoad({ filter: /\/src\/.*\.ts$/ }, async ({ path }) => {
            const file = path.slice(project.length + 1);
            let contents = await readFile(path, "utf8");
            for (const change of changes.filter((one) => one.file === file)) {
              const parts = contents.split(change.find);
              if (parts.length !== 2) {
                throw new Error(
                  `${file} holds ${parts.length - 1} times, where it should once:\n${change.find}`,
                );
              }
              contents = parts.join(change.put);
              missed.delete(change);
            }
            if (file === "src/protocol/limits.ts") contents = settable(contents);
            if (
              /^src\/(platforms|edge|ops|lib|services\/(bans|directory|boards\/(cache|live|ingest)))\//.test(
                file,
              )
            ) {
              contents = `import { ${GLOBALS.join(", ")} } from "${join(here, "platform-globals.ts")}";\n${contents}`;
            }
            return { contents, loader: "ts" };
          });
        },
      },
    ],
  });
  for (const { file, find } of missed) throw new Error(`${file} is not part of the simulation:\n${find}`);
}

/** Constants that a plan may set. */
function settable(/** @type {string} */ source) {
  const names = [...source.matchAll(/^export const (\w+)/gm)].map(([, name]) => name);
  const setters = names.map((name) => `  ${name} = given.${name} ?? initially.${name};`).join("\n");
  return `${source.replace(/^export const /gm, "export let ")}
const initially = { ${names.join(", ")} };
export function setLimits(given) {
  for (const name of Object.keys(given)) if (!(name in initially)) throw new Error(\`There is no limit called \${name}.\`);
${setters}
}
`;
}
