import { readFileSync } from "node:fs";

/** What the commands themselves hold open: programs, pipes, watched files, databases of the runtime's own. */
const COMMAND_FILES = 500;

/**
 * Files that a person holds open who comes from an address of their own: a socket, and each Durable Object a database of three files, of which the
 * address has one.
 */
const PERSON_FILES = 6;

/** Fewer people than this are worth a word. */
const ENOUGH_PEOPLE = 2_000;

/**
 * What there is to say about how many files a process may open; nothing if they are enough, or where the system does not tell.
 * @param {string} [limits] what /proc/self/limits says
 */
export function openFilesWarning(limits = readLimits()) {
  // Node raises its own limit to the hard one, and what it starts inherits that.
  const files = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
  const people = Math.max(0, Math.floor((files - COMMAND_FILES) / PERSON_FILES));
  if (people >= ENOUGH_PEOPLE) return undefined;
  return (
    `A process may open ${files} files here, which is enough for some ${people} people from as many addresses; then the server dies. ` +
    `${ENOUGH_PEOPLE} people need ${COMMAND_FILES + ENOUGH_PEOPLE * PERSON_FILES}: raise the hard limit (ulimit -Hn).`
  );
}

function readLimits() {
  try {
    return readFileSync("/proc/self/limits", "utf8");
  } catch {
    return "";
  }
}
