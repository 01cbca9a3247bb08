export { invariants } from "./invariants";
export { generateScenario, playScenario, recordCalls, TABLES } from "./scenario";
export { shrink } from "./shrink";
