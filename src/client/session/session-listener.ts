import type { NumberedEvent, WireSignal } from "../../protocol/messages";
import type { Outcome } from "./outcome";
import type { Verification } from "./verification";

/** Called for everything that happens in a session, in order and once. */
export interface SessionListener {
  onEvent(event: NumberedEvent): void;
  onSignal(signal: WireSignal): void;
  onSettled(id: string, outcome: Outcome): void;
  /** The state was replaced by the room's. The events that led to it are not reported. */
  onFresh(): void;
  onVerified(verdict: Verification): void;
  /** A bug in the app's code, such as a reducer that threw. */
  onProblem(what: string, error: unknown): void;
}
