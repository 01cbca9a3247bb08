import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  GUEST_RENEW_MS,
  GUEST_TOKEN_MS,
  issueGuest,
  toGuestId,
  verifyOldGuest,
} from "../../src/identity/guest";
import { verifyToken } from "../../src/identity/token";
import { digestId, randomId } from "../../src/lib/ids";
import { cleanName, cutName } from "../../src/text/display-name";
import { forgeToken, makeClaims, NOW, OTHER_SECRET, SECRET } from "../support/test-edge";

const tabKey = "6e1ccf6f-7bd1-4d61-b4b2-2f5d4b3a9e11";

describe("a guest's id", () => {
  it("the id is the same for the same tab, and only the secret connects the two", async () => {
    const id = await toGuestId(tabKey, SECRET);
    expect(id).toBe(
      `guest-${createHmac("sha256", SECRET).update(`guest:${tabKey}`).digest("base64url").slice(0, 16)}`,
    );
    expect(await toGuestId(tabKey, SECRET)).toBe(id);
    expect(await toGuestId(`${tabKey}0`, SECRET)).not.toBe(id);
    expect(await toGuestId(tabKey, OTHER_SECRET)).not.toBe(id);
  });

  it("the id is new if the tab's key is absent, or short enough to be another tab's too", async () => {
    for (const key of [undefined, "", "ann", "x".repeat(19)]) {
      expect(await toGuestId(key, SECRET, () => "once")).toBe("guest-once");
    }
    expect(await toGuestId("x".repeat(20), SECRET, () => "once")).not.toBe("guest-once");
    expect(await toGuestId(undefined, SECRET)).not.toBe(await toGuestId(undefined, SECRET));
  });
});

describe("a guest's token", () => {
  it("the token is valid for seven days and makes its owner that guest", async () => {
    const guest = await issueGuest("guest-abcdefgh", "Ann", SECRET, NOW);
    expect(guest.expiresAt).toBe(Math.floor((NOW + GUEST_TOKEN_MS) / 1000) * 1000);
    expect(await verifyToken(guest.token, SECRET, NOW)).toEqual({
      ok: true,
      who: {
        user: "guest-abcdefgh",
        name: "Ann",
        role: "player",
        guest: true,
        expiresAt: guest.expiresAt,
        openedAt: Math.floor(NOW / 1000) * 1000,
      },
    });
    expect(await verifyToken(guest.token, SECRET, guest.expiresAt)).toMatchObject({ ok: false });
  });

  it("[D8] the token says since when the guest exists, or at least when the token was made", async () => {
    const openedAt = async (others: Record<string, unknown>) => {
      const read = await verifyToken(
        forgeToken(makeClaims({ sub: "guest-1", guest: true, ...others })),
        SECRET,
        NOW,
      );
      return read.ok ? read.who.openedAt : read.reason;
    };
    expect(await openedAt({ opened: 1_780_000_000, iat: 1_790_000_000 })).toBe(1_780_000_000_000);
    expect(await openedAt({ iat: 1_780_000_000 })).toBe(1_780_000_000_000);
    expect(await openedAt({ opened: "x" })).toBeUndefined();
    expect(await openedAt({ opened: 1e300 })).toBeUndefined();
    const member = await verifyToken(forgeToken(makeClaims({ iat: 1_780_000_000 })), SECRET, NOW);
    expect(member.ok && member.who).not.toHaveProperty("openedAt");
  });

  it("a guest without a name is called after the id", async () => {
    for (const name of ["", "x".repeat(41)]) {
      expect(await issueGuest("guest-abcdefgh", name, SECRET, NOW)).toMatchObject({ name: "Guestabcd" });
    }
  });

  it("the token can be renewed for a week after its end, and no longer", async () => {
    const { token, expiresAt } = await issueGuest("guest-abcdefgh", "Ann", SECRET, NOW);
    expect(await verifyOldGuest(token, SECRET, expiresAt + GUEST_RENEW_MS - 1)).toMatchObject({
      ok: true,
      who: { user: "guest-abcdefgh", name: "Ann" },
    });
    expect(await verifyOldGuest(token, SECRET, expiresAt + GUEST_RENEW_MS)).toEqual({
      ok: false,
      cause: "ended",
      reason: "The token has expired.",
    });
  });

  it("no other kind of token can be renewed so", async () => {
    expect(await verifyOldGuest(forgeToken(makeClaims()), SECRET, NOW)).toEqual({
      ok: false,
      cause: "bad",
      reason: "Only a guest's token can be renewed here.",
    });
    const forged = forgeToken(makeClaims({ sub: "guest-1", guest: true }), { secret: OTHER_SECRET });
    expect(await verifyOldGuest(forged, SECRET, NOW)).toMatchObject({ ok: false });
  });
});

describe("a typed name", () => {
  it("the name loses characters that no keyboard types, and the space around it", () => {
    expect(cleanName(" \u0000A\tn\u009fn\ud83d \n")).toBe("Ann");
    expect(cleanName("\u0007\r\n ")).toBe("");
    expect(cleanName("Zoë 🎲")).toBe("Zoë 🎲");
  });

  it("the name is cut between characters", () => {
    expect(cutName("😀".repeat(41))).toBe("😀".repeat(40));
    expect(cutName("😀".repeat(40))).toBe("😀".repeat(40));
    expect(cutName(`${"a".repeat(39)} b`)).toBe("a".repeat(39));
  });
});

describe("a short id", () => {
  it("the id has 16 characters that are safe in a URL, and is different each time", async () => {
    const ids = new Set(Array.from({ length: 1_000 }, randomId));
    expect(ids.size).toBe(1_000);
    for (const id of ids) expect(id).toMatch(/^[\w-]{16}$/);
    expect(await digestId("same")).toMatch(/^[\w-]{16}$/);
    expect(await digestId("same")).toBe(await digestId("same"));
    expect(await digestId("same")).not.toBe(await digestId("Same"));
  });
});
