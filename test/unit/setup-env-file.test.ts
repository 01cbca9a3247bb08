import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { canBeInEnvFile, makeEnvFile, readEnvFile, writeEnvFile } from "../../scripts/env-file.mjs";
import { readConfig } from "../../src/config/config";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tallyroom-env-"));
  path = join(folder, ".env");
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("the .env that an install writes", () => {
  it("the file has what the servers need, and enables guests", () => {
    expect(makeEnvFile(path)).toBe(true);
    const read = readConfig(readEnvFile(path));
    expect(read).toMatchObject({ ok: true, config: { guests: true } });
    expect(Object.keys(readEnvFile(path))).toEqual(["AUTH_SECRET", "BATCH_SECRET", "GUESTS"]);
  });

  it("only the owner can read the file", () => {
    makeEnvFile(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it("the file has other secrets in every clone", () => {
    makeEnvFile(path);
    const { AUTH_SECRET, BATCH_SECRET } = readEnvFile(path);
    rmSync(path);
    makeEnvFile(path);
    expect(readEnvFile(path).AUTH_SECRET).not.toBe(AUTH_SECRET);
    expect(AUTH_SECRET).not.toBe(BATCH_SECRET);
  });

  it("the file is never overwritten", () => {
    makeEnvFile(path);
    const before = readFileSync(path, "utf8");
    expect(makeEnvFile(path)).toBe(false);
    expect(readFileSync(path, "utf8")).toBe(before);
  });
});

describe("variables passed in a file", () => {
  it("the variables arrive unchanged", () => {
    const values = { A: 'with # and "double" and \\n', B: "it's", C: "", D: " blanks ", E: "a=b" };
    writeEnvFile(path, values, { expands: false });
    expect(readEnvFile(path)).toEqual(values);
  });

  it("the variables' dollar signs are protected from a reader that expands them", () => {
    writeEnvFile(path, { A: "pa$$word$HOME" }, { expands: true });
    expect(readFileSync(path, "utf8")).toBe("A='pa\\$\\$word\\$HOME'\n");
  });

  it("a variable may contain one kind of quote, or the other, but not both", () => {
    expect(canBeInEnvFile("it's")).toBe(true);
    expect(canBeInEnvFile("`")).toBe(true);
    expect(canBeInEnvFile("it`s '")).toBe(false);
  });
});
