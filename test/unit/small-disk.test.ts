import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { SmallDisk } from "../support/small-disk";

describe("a test disk of our own", () => {
  it("the disk rejects writes while it is full, keeps its content, and continues later, or reports why it is unavailable", () => {
    const disk = SmallDisk.mount();
    if (typeof disk === "string") {
      expect(disk).toMatch(/^a disk of our own (could not be mounted, which only root may|that can be full)/);
      return;
    }
    const file = join(disk.folder, "file");
    const more = "x".repeat(100_000);
    try {
      writeFileSync(file, "kept");
      disk.fill();
      expect(() => appendFileSync(file, more)).toThrow("ENOSPC");
      expect(readFileSync(file, "utf8").slice(0, 4)).toBe("kept");
      disk.free();
      writeFileSync(file, more);
      expect(readFileSync(file, "utf8")).toBe(more);
    } finally {
      disk.unmount();
    }
    expect(existsSync(disk.folder)).toBe(false);
  });
});
