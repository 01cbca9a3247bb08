import type { Rate } from "../protocol/rates";

/** What a deployment may change about its rooms. */
export interface RoomSettings {
  idleMs: number;
  recoveryMs: number;
  leaveGraceMs: number;
  maxUsers: number;
  /** How long points gather before they are sent to the boards. */
  flushMs: number;
  /** Of all messages of one connection; `null` is off. */
  actionRate: Rate | null;
  /** By rule name (`chat.say`), over what the feature says; `null` is off. */
  rules: Readonly<Record<string, Rate | null>>;
}
