import { isBusy } from "../../scripts/port.mjs";

/**
 * Below the ports that systems lend to outgoing connections: a server that is killed must find its port free again when
 * it comes back.
 */
const FIRST = 20_000;
const LAST = 32_000;

const allocated = new Set<number>();

/** A free port that this process has not handed out before. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if (allocated.has(port) || (await isBusy(port))) continue;
    allocated.add(port);
    return port;
  }
}
