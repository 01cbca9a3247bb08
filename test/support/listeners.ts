import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface Process {
  pid: number;
  name: string;
}

export interface Listener {
  /** As it is bound: `127.0.0.1`, `0.0.0.0`, or the hexadecimal digits of an IPv6 address. */
  address: string;
  port: number;
  process: string;
}

/** Everything that a process started, and what that started. From Linux's /proc. */
export function descendantsOf(root: number): Process[] {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const text = read(`/proc/${name}/stat`);
      const end = text.lastIndexOf(")");
      if (end < 0) return [];
      const parent = Number(text.slice(end + 2).split(" ")[1]);
      return [{ pid: Number(name), name: text.slice(text.indexOf("(") + 1, end), parent }];
    });
  const found = new Set([root]);
  for (let size = 0; size < found.size; ) {
    size = found.size;
    for (const { pid, parent } of all) if (found.has(parent)) found.add(pid);
  }
  return all.filter(({ pid }) => found.has(pid));
}

/** What `ss -ltn` shows of a process and all that it started. */
export function listenersOf(root: number): Listener[] {
  const owners = new Map(
    descendantsOf(root).flatMap(({ pid, name }) => socketsOf(pid).map((inode) => [inode, name] as const)),
  );
  return ["tcp", "tcp6"].flatMap((table) =>
    read(`/proc/net/${table}`)
      .split("\n")
      .slice(1)
      .flatMap((line) => {
        const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/\s+/);
        const process = owners.get(inode);
        if (state !== "0A" || process === undefined) return [];
        const [address = "", port = ""] = local.split(":");
        return [{ address: dotted(address), port: Number.parseInt(port, 16), process }];
      }),
  );
}

function socketsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
      return inode === undefined ? [] : [inode];
    });
  } catch {
    return []; // it ended, or closed one, while we were reading
  }
}

/** The kernel writes an IPv4 address as the number that its bytes are in this machine's order. */
function dotted(hex: string): string {
  return hex.length === 8
    ? (hex.match(/../g) ?? [])
        .reverse()
        .map((byte) => Number.parseInt(byte, 16))
        .join(".")
    : hex;
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
