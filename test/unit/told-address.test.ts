import { describe, expect, it } from "vitest";
import { tellAddress, toldAddress } from "../../src/platform/addresses/told-address";

const NOW = 1_795_000_000_000;
const secrets = { present: "a secret of both sides" };
const call = { method: "GET", path: "/v1/boards/main?limit=5" };

async function told(
  headers: Record<string, string>,
  { path = call.path, method = call.method, now = NOW } = {},
): Promise<string | undefined> {
  return toldAddress(new Request(`http://tallyroom${path}`, { method, headers }), secrets, now);
}

describe("[C7] [S1] an address that one of our origins tells", () => {
  it("is believed where it is signed for this very request, within the minute", async () => {
    const headers = await tellAddress(call, "192.0.2.7", secrets.present, NOW);
    expect(await told(headers)).toBe("192.0.2.7");
    expect(await told(headers, { now: NOW + 59_000 })).toBe("192.0.2.7");
    expect(await told(headers, { now: NOW + 61_000 })).toBeUndefined();
    expect(await told(headers, { path: "/v1/boards/main?limit=6" })).toBeUndefined();
    expect(await told(headers, { method: "DELETE" })).toBeUndefined();
  });

  it("is nothing where it was changed, signed by somebody else, or not signed at all", async () => {
    const headers = await tellAddress(call, "192.0.2.7", secrets.present, NOW);
    const [name] = Object.keys(headers);
    expect(await told({ ...headers, [name ?? ""]: "192.0.2.8" })).toBeUndefined();
    expect(await told({ [name ?? ""]: "192.0.2.7" })).toBeUndefined();
    expect(
      await told(await tellAddress(call, "192.0.2.7", "another secret of some length", NOW)),
    ).toBeUndefined();
  });

  it("is told only where the platform knows one and there is a secret", async () => {
    expect(await tellAddress(call, undefined, secrets.present, NOW)).toEqual({});
    expect(await tellAddress(call, "192.0.2.7", undefined, NOW)).toEqual({});
  });
});
