import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { networkOf, normalizeIp } from "../../src/edge/ip-limits/normalize-ip";

describe("an IP address", () => {
  it("an IPv4 address stays as it is", () => {
    expect(normalizeIp("203.0.113.7")).toBe("203.0.113.7");
    expect(normalizeIp(" 127.0.0.1 ")).toBe("127.0.0.1");
    expect(normalizeIp("001.2.3.4")).toBe("1.2.3.4");
  });

  it("an IPv6 address becomes its /64, in any notation", () => {
    const one = "2001:db8:1:2::/64";
    for (const text of [
      "2001:db8:1:2::",
      "2001:0DB8:0001:0002:ffff:ffff:ffff:ffff",
      "2001:db8:1:2:3::4",
      "2001:db8:1:2::1%eth0",
      "2001:db8:1:2:3:4:1.2.3.4",
    ]) {
      expect(normalizeIp(text), text).toBe(one);
    }
    expect(normalizeIp("2001:db8:1:3::")).not.toBe(one);
    expect(normalizeIp("::1")).toBe("0:0:0:0::/64");
    expect(normalizeIp("fe80::1")).toBe("fe80:0:0:0::/64");
  });

  it("an IPv6 address that wraps an IPv4 address becomes that", () => {
    for (const text of [
      "::ffff:203.0.113.7",
      "::FFFF:cb00:7107",
      "0:0:0:0:0:ffff:203.0.113.7",
      "64:ff9b::203.0.113.7",
      // RFC 2765.
      "::ffff:0:203.0.113.7",
      // 6to4: the whole /48 belongs to that IPv4 address.
      "2002:cb00:7107::1",
      "2002:cb00:7107:ffff:1:2:3:4",
      // Teredo: the client's IPv4 address is inverted at the end.
      "2001:0:4136:e378:8000:63bf:34ff:8ef8",
      "2001::34ff:8ef8",
    ]) {
      expect(normalizeIp(text), text).toBe("203.0.113.7");
    }
  });

  it("[L7] an IPv6 address is in a network, its /48", () => {
    const network = (text: string) => networkOf(normalizeIp(text) ?? "");
    for (const text of [
      "2001:db8:1:2::1",
      "2001:DB8:0001:ffff:ffff::",
      "2001:db8:1::",
      "2001:db8:1:9::1%eth0",
    ]) {
      expect(network(text), text).toBe("2001:db8:1::/48");
    }
    expect(network("2001:db8:2:2::1")).toBe("2001:db8:2::/48");
    expect(network("::1")).toBe("0:0:0::/48");
    for (const text of [
      "203.0.113.7",
      "::ffff:203.0.113.7",
      "2002:cb00:7107::1",
      "2001::34ff:8ef8",
      "nobody",
      "",
    ]) {
      expect(network(text), text).toBeUndefined();
    }
  });

  it("any other text is rejected", () => {
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
      expect(normalizeIp(text), text).toBeUndefined();
    }
  });

  it("an IP address has one form in any notation", () => {
    const groups = fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(groups, fc.boolean(), (parts, isUpper) => {
        const full = parts.map((part) => part.toString(16).padStart(4, "0")).join(":");
        const short = new URL(`http://[${full}]`).hostname.slice(1, -1);
        expect(normalizeIp(isUpper ? full.toUpperCase() : full)).toBe(normalizeIp(short));
      }),
    );
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(["string", "undefined"]).toContain(typeof normalizeIp(text));
      }),
    );
  });
});
