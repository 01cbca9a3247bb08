import { describe, expect, it } from "vitest";
import { type SignedCall, signCall, verifyCall } from "../../src/edge/signed-calls/signed-call";

const now = 1_800_000_000_000;
const secret = "a secret of the rooms and the worker";
const call: SignedCall = { method: "POST", path: "/v1/batches?x=1", body: '{"n":1}' };

describe("a signed call", () => {
  it("[S1] is believed with its secret", async () => {
    expect(await verifyCall(call, await signCall(call, secret, now), { current: secret }, now)).toEqual({
      ok: true,
    });
  });

  it("[S1] may have its body as bytes", async () => {
    const bytes = { ...call, body: new TextEncoder().encode(String(call.body)) };
    const header = await signCall(bytes, secret, now);
    expect(await verifyCall(call, header, { current: secret }, now)).toEqual({ ok: true });
  });

  it.each<[string, Partial<SignedCall>]>([
    ["another method", { method: "PUT" }],
    ["another path", { path: "/v1/batches?x=2" }],
    ["another body", { body: '{"n":2}' }],
    ["a body that is longer by a line", { body: '{"n":1}\n' }],
    ["no body", { body: "" }],
  ])("[S2] is not believed for %s", async (_, change) => {
    const header = await signCall(call, secret, now);
    expect(await verifyCall({ ...call, ...change }, header, { current: secret }, now)).toEqual({
      ok: false,
      reason: "The signature does not match the call.",
    });
  });

  it("[S2] is not believed with any one character of it changed", async () => {
    const header = await signCall(call, secret, now);
    for (let at = 0; at < header.length; at += 1) {
      const other = header[at] === "0" ? "1" : "0";
      const forged = header.slice(0, at) + other + header.slice(at + 1);
      expect(await verifyCall(call, forged, { current: secret }, now)).toMatchObject({ ok: false });
    }
  });

  it.each<[string, (header: string) => string]>([
    ["a leading zero in its time", (header) => header.replace("t=", "t=0")],
    ["two leading zeros in its time", (header) => header.replace("t=", "t=00")],
    ["a sign before its time", (header) => header.replace("t=", "t=+")],
    ["a fraction in its time", (header) => header.replace(",k=", ".0,k=")],
    ["upper-case hex", (header) => header.replace(/v1=\w+/, (part) => `v1=${part.slice(3).toUpperCase()}`)],
    [
      "an upper-case key id",
      (header) => header.replace(/k=\w+/, (part) => `k=${part.slice(2).toUpperCase()}`),
    ],
    ["a space before it", (header) => ` ${header}`],
    ["a space after it", (header) => `${header} `],
    ["a space between its parts", (header) => header.replaceAll(",", ", ")],
    ["a line break after it", (header) => `${header}\n`],
    ["its parts in another order", (header) => header.split(",").reverse().join(",")],
    ["one part twice", (header) => `${header},${header.split(",")[2]}`],
    ["the header twice, as HTTP joins them", (header) => `${header}, ${header}`],
  ])("[S5] has one spelling: not %s", async (_, respell) => {
    const header = await signCall(call, secret, now);
    expect(respell(header)).not.toBe(header);
    expect(await verifyCall(call, respell(header), { current: secret }, now)).toMatchObject({ ok: false });
  });

  it.each([null, "", "t=1", "nonsense", "t=1e3,k=0000000000000000,v1=00"])(
    "[S2] is not believed with the header %j",
    async (header) => {
      expect(await verifyCall(call, header, { current: secret }, now)).toMatchObject({ ok: false });
    },
  );

  it("[S3] is believed for a minute, and from a clock that runs a minute ahead", async () => {
    const header = await signCall(call, secret, now);
    const at = async (time: number) => (await verifyCall(call, header, { current: secret }, time)).ok;
    expect(await at(now + 60_000)).toBe(true);
    expect(await at(now + 60_001)).toBe(false);
    expect(await at(now - 60_000)).toBe(true);
    expect(await at(now - 60_001)).toBe(false);
  });

  it("[S4] is believed with the old secret while both are known, and not after", async () => {
    const header = await signCall(call, secret, now);
    const present = "the secret that follows it";
    expect(await verifyCall(call, header, { current: present, previous: secret }, now)).toEqual({ ok: true });
    expect(await verifyCall(call, header, { current: present }, now)).toEqual({
      ok: false,
      reason: "The call is signed with an unknown key.",
    });
  });

  it("tells nothing of its secret", async () => {
    const header = await signCall(call, secret, now);
    expect(header).toMatch(/^t=\d+,k=[0-9a-f]{16},v1=[0-9a-f]{64}$/);
    expect(await signCall(call, `${secret}.`, now)).not.toContain(/k=(\w+)/.exec(header)?.[1]);
  });
});
