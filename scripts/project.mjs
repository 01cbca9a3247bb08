import { fileURLToPath } from "node:url";

/** The folder of the project, whatever folder a command was started in. */
export const PROJECT = fileURLToPath(new URL("..", import.meta.url));
