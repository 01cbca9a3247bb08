/**
 * @typedef {object} Reach who reaches a development server
 * @property {number} [inspectorPort] opens an inspector there; none without it
 * @property {readonly string[]} [hosts] names it answers under beside this machine's own
 */

const PRELOAD = new URL("local-only.mjs", import.meta.url).href;

/**
 * How Node starts a program that may be reached from this machine alone: its arguments before the program's, and its environment.
 * @param {Reach} reach
 */
export function localNode({ inspectorPort, hosts = [] }) {
  return {
    args: ["--import", PRELOAD],
    env: {
      TALLYROOM_INSPECTOR_PORT: inspectorPort === undefined ? undefined : String(inspectorPort),
      TALLYROOM_DEV_HOSTS: hosts.join(","),
    },
  };
}
