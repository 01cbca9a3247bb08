import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PROJECT } from "./project.mjs";
import { importTypeScript } from "./typescript.mjs";

// Writes each feature's version into its state.ts. Run it when a schema or a reducer changed; a test says when that is.
const features = join(PROJECT, "src/features");
const { featureFingerprint } = await importTypeScript("src/protocol/schema/fingerprint.ts");
for (const name of readdirSync(features)) {
  const module = await importTypeScript(`src/features/${name}/schema.ts`);
  const file = join(features, name, "state.ts");
  const source = readFileSync(file, "utf8");
  const version = featureFingerprint(module[`${name}Schema`], source);
  writeFileSync(file, source.replace(/^export const version = .*$/m, `export const version = "${version}";`));
  console.log(`${name} ${version}`);
}
