import { describe, expect, it } from "vitest";
import { signForwardedIp, verifyForwardedIp } from "../../src/edge/ip-limits/forwarded-ip";

const NOW = 1_795_000_000_000;
const secrets = { current: "a secret of both sides" };
const call = { method: "GET", path: "/v1/boards/main?limit=5" };

async function readIp(
  headers: Record<string, string>,
  { path = call.path, method = call.method, now = NOW } = {},
): Promise<string | undefined> {
  return verifyForwardedIp(new Request(`http://tallyroom${path}`, { method, headers }), secrets, now);
}

describe("[C7] [S1] an IP address that one of our origins forwards", () => {
  it("the IP address is accepted with a signature for this request, within a minute", async () => {
    const headers = await signForwardedIp(call, "192.0.2.7", secrets.current, NOW);
    expect(await readIp(headers)).toBe("192.0.2.7");
    expect(await readIp(headers, { now: NOW + 59_000 })).toBe("192.0.2.7");
    expect(await readIp(headers, { now: NOW + 61_000 })).toBeUndefined();
    expect(await readIp(headers, { path: "/v1/boards/main?limit=6" })).toBeUndefined();
    expect(await readIp(headers, { method: "DELETE" })).toBeUndefined();
  });

  it("the IP address is ignored if it was changed, signed with another secret, or not signed", async () => {
    const headers = await signForwardedIp(call, "192.0.2.7", secrets.current, NOW);
    const [name] = Object.keys(headers);
    expect(await readIp({ ...headers, [name ?? ""]: "192.0.2.8" })).toBeUndefined();
    expect(await readIp({ [name ?? ""]: "192.0.2.7" })).toBeUndefined();
    expect(
      await readIp(await signForwardedIp(call, "192.0.2.7", "another secret of some length", NOW)),
    ).toBeUndefined();
  });

  it("the IP address is forwarded only if the platform knows one and there is a secret", async () => {
    expect(await signForwardedIp(call, undefined, secrets.current, NOW)).toEqual({});
    expect(await signForwardedIp(call, "192.0.2.7", undefined, NOW)).toEqual({});
  });
});
