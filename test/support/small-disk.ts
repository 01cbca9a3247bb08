import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onParentExit } from "../../scripts/process-group.mjs";

const SIZE = "1g";

/** A disk of our own, in memory, that can be full: what is on it stays, and nothing more goes on it. */
export class SmallDisk {
  private constructor(readonly folder: string) {}

  /** The disk, or a sentence that says why this machine has none. */
  static mount(): SmallDisk | string {
    if (process.platform !== "linux")
      return "a disk of our own that can be full is known here for Linux alone";
    const folder = mkdtempSync(join(tmpdir(), "tallyroom-disk-"));
    try {
      mount("-t", "tmpfs", "-o", `size=${SIZE},mode=0700`, "tallyroom", folder);
    } catch (error) {
      rmSync(folder, { recursive: true });
      const [, why = String(error)] = /^mount: (.*)/m.exec(String(error)) ?? [];
      return `a disk of our own could not be mounted, which only root may (${why})`;
    }
    onParentExit('sleep 1; umount -l "$0" && rmdir "$0"', folder);
    return new SmallDisk(folder);
  }

  /** Accepts no more pages from now on. */
  fill(): void {
    for (let attempt = 1; ; attempt++) {
      const { blocks, bfree, bsize } = statfsSync(this.folder);
      try {
        return this.#resize(String((blocks - bfree) * bsize));
      } catch (error) {
        // More was written meanwhile.
        if (attempt === 20) throw error;
      }
    }
  }

  free(): void {
    this.#resize(SIZE);
  }

  unmount(): void {
    execFileSync("umount", ["-l", this.folder]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  #resize(size: string): void {
    mount("-o", `remount,size=${size}`, this.folder);
  }
}

function mount(...args: string[]): void {
  execFileSync("mount", args, { stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
}
