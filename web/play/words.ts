import type { Status } from "../../src/client/room-client";
import { closeCodes } from "../../src/protocol/codes";
import type { DraftState } from "./drafts";
import type { View } from "./view";

/** What the page says, in one place: plain sentences that tell what is going on and what is being kept. */

export function statusText(status: Status): string {
  switch (status.is) {
    case "connecting":
      return status.again ? "Reconnecting…" : "Connecting…";
    case "live":
      return "Live";
    case "waiting":
      return status.again ? "Reconnecting…" : "Not connected";
    case "idle":
    case "ended":
      return "Not connected";
  }
}

/** Under the log while the connection is away. */
export function offlineText(view: View, now: number): string | undefined {
  const { status, drafts } = view;
  if (status.is !== "connecting" && status.is !== "waiting") return undefined;
  if (!status.again && status.is === "connecting") return undefined;
  const when =
    status.is === "waiting" && status.retryAt - now > 1500
      ? ` Next try in ${formatWait(status.retryAt - now)}.`
      : "";
  const why = status.is === "waiting" ? status.reason : undefined;
  if (!status.again) return `${why ?? "The room cannot be reached yet."}${when}`;
  const waiting = drafts.filter(({ state }) => state.is === "waiting").length;
  const kept =
    waiting === 0
      ? "What you write is kept, and you will be shown what you miss."
      : `${waiting === 1 ? "Your message is" : `Your ${waiting} messages are`} kept and will be sent.`;
  return `${why ?? "The connection was lost."} ${kept}${when}`;
}

export interface EndNotice {
  title: string;
  text: string;
  /** What the button offers. */
  next: "rejoin" | "reload" | "leave";
  button: string;
}

export function endNotice(code: number, reason: string): EndNotice {
  switch (code) {
    case closeCodes.badAddress:
      return toEndNotice(
        "This page and the room do not understand each other.",
        "It may have been updated.",
        "reload",
      );
    case closeCodes.badToken:
      return toEndNotice("Your visit has ended.", "You can come straight back in.", "rejoin");
    case closeCodes.notAllowed:
      return toEndNotice("You cannot be in this room.", reason, "leave");
    case closeCodes.notFound:
      return toEndNotice("There is no such room.", reason, "leave");
    case closeCodes.replaced:
      return toEndNotice(
        "You are in this room in another tab.",
        "Only one of the two can be connected.",
        "rejoin",
        "Use this tab",
      );
    case closeCodes.roomClosed:
      return toEndNotice("This room has been closed.", "Thank you for being here.", "leave");
    case closeCodes.tooLarge:
      return toEndNotice(
        "A message was larger than the room takes.",
        "You can come straight back in.",
        "rejoin",
      );
    default:
      return toEndNotice("The room has ended the connection.", reason, "rejoin");
  }
}

const buttons: Record<EndNotice["next"], string> = {
  rejoin: "Join again",
  reload: "Reload",
  leave: "Choose another room",
};

function toEndNotice(
  title: string,
  text: string,
  next: EndNotice["next"],
  button = buttons[next],
): EndNotice {
  return { title, text, next, button };
}

export interface DraftStateText {
  text: string;
  /** A wait before trying again makes sense, in words; nothing when it may be tried now. */
  wait?: string;
  /** Whether the person has something to decide. */
  needsDecision: boolean;
}

export function draftStateText(state: DraftState, status: Status, now: number): DraftStateText {
  switch (state.is) {
    case "waiting":
      return { text: status.is === "live" ? "Sending…" : "Waiting for the connection", needsDecision: false };
    case "refused": {
      const leftMs = (state.retryAt ?? 0) - now;
      return {
        text: rejectionText(state),
        needsDecision: true,
        ...(leftMs > 0 ? { wait: formatWait(leftMs) } : {}),
      };
    }
    case "unknown":
      return { text: "It is not certain that this arrived.", needsDecision: true };
  }
}

/** The room's own sentence, but for the one that names a wait: here the wait runs down before one's eyes. */
export function rejectionText({ code, message }: DraftState & { is: "refused" }): string {
  return code === "rate_limited" ? "That was faster than this room allows." : message;
}

export function typingText(names: readonly string[]): string {
  const [first, second, ...others] = names;
  if (first === undefined) return "";
  if (second === undefined) return `${first} is typing…`;
  if (others.length === 0) return `${first} and ${second} are typing…`;
  return "Several people are typing…";
}

export function formatWait(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.ceil(minutes / 60)} h`;
}
