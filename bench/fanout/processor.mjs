import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Linux counts a process's time in hundredths of a second. */
const TICKS_PER_SECOND = 100;

/**
 * @typedef {object} Process
 * @property {number} pid
 * @property {number} parent
 * @property {string} command
 * @property {number} seconds of processor time, user and system
 */

/** @param {number} pid @returns {Process | undefined} */
export function readProcess(pid) {
  let text;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined; // it has ended
  }
  // The command stands in parentheses and may itself hold spaces and parentheses.
  const close = text.lastIndexOf(")");
  const fields = text.slice(close + 2).split(" ");
  return {
    pid,
    parent: Number(fields[1]),
    command: text.slice(text.indexOf("(") + 1, close),
    seconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
  };
}

/** A process and all that it has started. @param {number} root @returns {Process[]} */
export function readTree(root) {
  /** @type {Map<number, Process[]>} */
  const children = new Map();
  /** @type {Process[]} */
  const found = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const process = readProcess(Number(name));
    if (process === undefined) continue;
    if (process.pid === root) found.push(process);
    const siblings = children.get(process.parent);
    if (siblings === undefined) children.set(process.parent, [process]);
    else siblings.push(process);
  }
  for (const process of found) found.push(...(children.get(process.pid) ?? []));
  return found;
}

/** Processor seconds that the whole machine has spent on anything. */
export function machineBusySeconds() {
  const [, user, nice, system, , , irq, softirq, steal] =
    readFileSync("/proc/stat", "latin1").split("\n", 1)[0]?.split(/\s+/).map(Number) ?? [];
  return (
    (Number(user) + Number(nice) + Number(system) + Number(irq) + Number(softirq) + Number(steal)) /
    TICKS_PER_SECOND
  );
}

/** TCP ports on which a process listens. @param {number} pid @returns {number[]} */
export function listeningPorts(pid) {
  const inodes = new Set();
  for (const name of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${name}`))?.[1];
      if (inode !== undefined) inodes.add(inode);
    } catch {
      // closed since it was listed
    }
  }
  const LISTEN = "0A";
  const ports = [];
  for (const line of readFileSync("/proc/net/tcp", "latin1").split("\n").slice(1)) {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
    if (state === LISTEN && inodes.has(inode)) ports.push(Number.parseInt(String(local?.split(":")[1]), 16));
  }
  return ports;
}
