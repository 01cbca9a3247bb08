import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { forwardSocket } from "../../src/edge/forward";
import { decodeTicket, encodeTicket, TICKET_HEADER } from "../../src/edge/handshake";
import { formatBye, truncateCloseReason } from "../../src/edge/socket-rejection";
import { byteLength } from "../../src/protocol/codec";
import type { JoinTicket } from "../../src/room/inbound/join-ticket";

const ticket: JoinTicket = {
  conn: "abcdefgh-_123456",
  user: "__proto__",
  name: "Zoë 🎲",
  role: "host",
  guest: false,
  expiresAt: 1_790_000_000_000,
  tab: "ABCDEFGH-_123456",
  epoch: "e1",
  since: 41,
};

describe("the request that a room gets", () => {
  it("the request is a socket with a join ticket and nothing else", () => {
    const request = forwardSocket("main", "hall", ticket);
    expect(request.url).toBe("http://room/parties/main/hall?_pk=abcdefgh-_123456");
    expect([...request.headers.keys()].sort()).toEqual(["upgrade", TICKET_HEADER]);
    expect(decodeTicket(request.headers.get(TICKET_HEADER))).toEqual(ticket);
  });
});

describe("a join ticket", () => {
  it("the ticket is read as it was written, and is safe in a header", () => {
    const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 });
    const tickets = fc.record(
      {
        conn: text,
        user: text,
        name: text,
        role: fc.constantFrom("player" as const, "host" as const, "admin" as const),
        guest: fc.boolean(),
        expiresAt: fc.maxSafeNat(),
        tab: text,
        epoch: text,
        since: fc.maxSafeNat(),
        token: text,
        from: text,
      },
      { requiredKeys: ["conn", "user", "name", "role", "guest", "expiresAt", "tab"] },
    );
    fc.assert(
      fc.property(tickets, (any) => {
        const encoded = encodeTicket(any);
        expect(encoded).toMatch(/^[\w-]+$/);
        expect(decodeTicket(encoded)).toEqual({ ...any });
      }),
    );
  });

  it("the room accepts no ticket from another writer", () => {
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const { conn, ...without } = ticket;
    const others = [
      null,
      "",
      "{}",
      JSON.stringify(ticket),
      "%%%",
      "é",
      Buffer.from([0xff, 0xfe]).toString("base64url"),
      ...[null, 7, "text", [], [ticket], {}, without, { ...ticket, conn: "" }, { ...ticket, conn: 7 }].map(
        encode,
      ),
      ...[
        { ...ticket, role: "owner" },
        { ...ticket, guest: 1 },
        { ...ticket, expiresAt: null },
      ].map(encode),
      ...[
        { ...ticket, since: "41" },
        { ...ticket, epoch: 7 },
        { ...ticket, token: {} },
      ].map(encode),
    ];
    expect(conn).toBe(ticket.conn);
    for (const other of others) expect(decodeTicket(other), String(other)).toBeUndefined();
  });
});

describe("a close", () => {
  it("the close carries as much of its reason as fits, cut between characters", () => {
    expect(truncateCloseReason("Full.")).toBe("Full.");
    expect(truncateCloseReason("x".repeat(123))).toBe("x".repeat(123));
    expect(truncateCloseReason("x".repeat(124))).toBe(`${"x".repeat(120)}…`);
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 200 }), (reason) => {
        const cut = truncateCloseReason(reason);
        expect(byteLength(cut)).toBe(Buffer.byteLength(cut));
        expect(byteLength(cut)).toBeLessThanOrEqual(123);
        expect(reason.startsWith(cut.replace(/…$/, ""))).toBe(true);
      }),
    );
  });

  it("the close follows a `bye` with the whole reason", () => {
    expect(JSON.parse(formatBye(4401, "x".repeat(200)))).toEqual({
      t: "bye",
      code: 4401,
      reason: "x".repeat(200),
    });
    expect(JSON.parse(formatBye(1012, "Later.", 500))).toEqual({
      t: "bye",
      code: 1012,
      reason: "Later.",
      retryAfterMs: 500,
    });
  });
});
