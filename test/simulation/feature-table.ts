import type { FeatureTable } from "../../src/client/session/slices";
import type { Kind } from "../../src/room/api/kind";

const tables = new WeakMap<Kind, FeatureTable>();

/** What a page of that release knows of the features. */
export function toFeatureTable(kind: Kind): FeatureTable {
  const table =
    tables.get(kind) ??
    Object.fromEntries(
      kind.features.map(({ name, version, shared }) => [
        name,
        {
          version,
          initial: () => shared.initial(),
          reduce: (state: unknown, event: Parameters<typeof shared.reduce>[1]) => shared.reduce(state, event),
        },
      ]),
    );
  tables.set(kind, table);
  return table;
}
