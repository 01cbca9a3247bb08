export { invariants } from "./breach";
export { shrink } from "./shrink";
export { callsOf, play, storyOf, TABLES } from "./story";
