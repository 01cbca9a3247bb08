export { invariants } from "./breach";
export { shrink } from "./shrink";
export { play, storyOf } from "./story";
