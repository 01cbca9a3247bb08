import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** All that lies in files, now. A database's side files come and go with rooms that wake and sleep. */
export function readFilesUnder(directory: string): Buffer[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .flatMap((file) => {
      try {
        return [readFileSync(file)];
      } catch (error) {
        if (existsSync(file)) throw error;
        return [];
      }
    });
}
