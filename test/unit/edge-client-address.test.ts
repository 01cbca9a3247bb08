import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { normalAddress } from "../../src/platform/addresses/client-address";

describe("an address", () => {
  it("is an IPv4 as it stands", () => {
    expect(normalAddress("203.0.113.7")).toBe("203.0.113.7");
    expect(normalAddress(" 127.0.0.1 ")).toBe("127.0.0.1");
    expect(normalAddress("001.2.3.4")).toBe("1.2.3.4");
  });

  it("is the /64 of an IPv6, however it is written", () => {
    const one = "2001:db8:1:2::/64";
    for (const text of [
      "2001:db8:1:2::",
      "2001:0DB8:0001:0002:ffff:ffff:ffff:ffff",
      "2001:db8:1:2:3::4",
      "2001:db8:1:2::1%eth0",
      "2001:db8:1:2:3:4:1.2.3.4",
    ]) {
      expect(normalAddress(text), text).toBe(one);
    }
    expect(normalAddress("2001:db8:1:3::")).not.toBe(one);
    expect(normalAddress("::1")).toBe("0:0:0:0::/64");
    expect(normalAddress("fe80::1")).toBe("fe80:0:0:0::/64");
  });

  it("is the IPv4 that an IPv6 only wraps", () => {
    for (const text of [
      "::ffff:203.0.113.7",
      "::FFFF:cb00:7107",
      "0:0:0:0:0:ffff:203.0.113.7",
      "64:ff9b::203.0.113.7",
    ]) {
      expect(normalAddress(text), text).toBe("203.0.113.7");
    }
  });

  it("is nothing else", () => {
    for (const text of [
      "",
      "unknown",
      "1.2.3",
      "1.2.3.256",
      "1.2.3.4.5",
      "1.2.3.4, 5.6.7.8",
      "1.2.3.-4",
      "0x7f.0.0.1",
      ":",
      ":::",
      "1::2::3",
      "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7:8:9",
      "1:2:3:4:5:6:7::8:9",
      "12345::",
      "g::",
      "::1.2.3.400",
      "1.2.3.4::",
      "[::1]",
      "::1]",
    ]) {
      expect(normalAddress(text), text).toBeUndefined();
    }
  });

  it("has one form, whoever writes it", () => {
    const groups = fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(groups, fc.boolean(), (parts, isUpper) => {
        const full = parts.map((part) => part.toString(16).padStart(4, "0")).join(":");
        const short = new URL(`http://[${full}]`).hostname.slice(1, -1);
        expect(normalAddress(isUpper ? full.toUpperCase() : full)).toBe(normalAddress(short));
      }),
    );
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(["string", "undefined"]).toContain(typeof normalAddress(text));
      }),
    );
  });
});
