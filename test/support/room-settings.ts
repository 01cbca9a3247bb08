import type { RoomSettings } from "../../src/room/settings";

/** The usual settings, without limits on talking. */
export const settings: RoomSettings = {
  idleMs: 900_000,
  recoveryMs: 120_000,
  leaveGraceMs: 5_000,
  flushMs: 5_000,
  maxUsers: 1_000,
  actionRate: null,
  rules: { "chat.say": null, "presence.set": null },
};
