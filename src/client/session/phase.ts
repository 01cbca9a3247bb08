import { NEVER } from "./time";

/** The state of the connection, as a page shows it. `again`: it was live before. */
export type ConnectionState =
  | { is: "idle" }
  | { is: "connecting"; again: boolean }
  | { is: "live" }
  /** `reason` is the room's own sentence, if it sent one. */
  | { is: "waiting"; again: boolean; retryAt: number; reason?: string }
  /** Final: another attempt with the same options would fail too. */
  | { is: "ended"; code: number; reason: string };

/** The same with what the connection manager has to remember. */
export type Phase =
  | { is: "idle" }
  /** `isHandover`: the room has closed the socket before in favour of this one, and is about to welcome it. */
  | { is: "connecting"; link: number; askedAt: number; giveUpAt: number; isHandover?: boolean }
  | { is: "live"; link: number; since: number; pingAt: number; pongBy: number }
  /** `isNamed`: the room named the time. */
  | { is: "waiting"; retryAt: number; isNamed: boolean; reason: string }
  | { is: "ended"; code: number; reason: string };

/** A second socket that replaces the live one at its welcome. The status stays `live` meanwhile. */
export interface SecondSocket {
  link: number;
  askedAt: number;
  giveUpAt: number;
}

export function toConnectionState(phase: Phase, wasLive: boolean): ConnectionState {
  if (phase.is === "live" || (phase.is === "connecting" && phase.isHandover)) return { is: "live" };
  if (phase.is === "connecting") return { is: "connecting", again: wasLive };
  if (phase.is !== "waiting") return phase;
  const { retryAt, reason } = phase;
  return { is: "waiting", again: wasLive, retryAt, ...(reason ? { reason } : {}) };
}

/** When the phase ends by itself or needs a ping. */
export function phaseEndsAt(phase: Phase): number {
  switch (phase.is) {
    case "connecting":
      return phase.giveUpAt;
    case "live":
      return Math.min(phase.pingAt, phase.pongBy);
    case "waiting":
      return phase.retryAt;
    case "idle":
    case "ended":
      return NEVER;
  }
}
