import { SlidingWindow } from "../../lib/sliding-window";
import { byteLength } from "../../protocol/codec";
import { type Role, roles } from "../../protocol/codes";
import { LONGEST_LOOK_MS } from "../../protocol/limits";
import type { Json } from "../../protocol/messages";
import type { Rate } from "../../protocol/rates";
import type { Actor, AnyFeature, Bounds, Refusal } from "../api/feature";
import type { Committer } from "../commit/committer";
import type { Rule } from "./action-registry";
import { PENALTY, PENALTY_RATE, windowKeys } from "./penalties";
import { badData, internalError, type Rejection, rateLimited, rejection, toRejection } from "./rejections";

export interface Action {
  id: string;
  f: string;
  a: string;
  d: Json;
}

/** Accepted: with the number of its last event, or what it answers. `again`: it had been done before. */
export type ActionResult =
  | { ok: true; isRepeat: boolean; seq: number | undefined; answer: Json | undefined; urgent: boolean }
  | { ok: false; rejection: Rejection };

/** Judges what is asked, in the one order: decode, authorise, limit, decide. Committing is the kernel's. */
export class Actions {
  /** Signals leave no trace in storage, and neither do their windows. */
  readonly #signalWindows = new SlidingWindow();
  /** Those of this kind that have a word in what others ask. */
  readonly #authorizers: readonly AnyFeature[];

  constructor(private readonly kernel: Committer) {
    this.#authorizers = kernel.context.kind.features.filter(
      ({ authorize: permits }) => permits !== undefined,
    );
  }

  /** `as`: the name under which the operation's id is known, apart from the speaker's where they speak over HTTP. */
  act(
    action: Action,
    by: Actor,
    { as = by.user, from }: { as?: string; from?: string | undefined } = {},
  ): ActionResult {
    const { kernel } = this;
    const now = kernel.now;
    const rule = kernel.registry.action(action.f, action.a);
    const name = rule?.name ?? `${action.f}.${action.a}`;
    const body = JSON.stringify(action.d);
    const fingerprint = hashAction(name, body);

    const before = kernel.state.idempotency.find(as, action.id, now);
    if (before && before.fingerprint !== fingerprint) {
      return rejected(
        rejection("duplicate", "This id was used for something else. Give each action an id of its own."),
      );
    }
    if (before) {
      return { ok: true, isRepeat: true, seq: before.seq, answer: before.answer, urgent: true };
    }

    // What older code did stays done, also where this code knows no such action.
    if (!rule) return rejected(rejection("bad_action", "This room has no such action."));
    const { feature, rate } = rule;
    let data: unknown;
    try {
      const checked = this.#check(rule, body, action.d, by);
      if (!checked.ok) return rejected(checked.refused);
      data = checked.data;
    } catch (error) {
      return this.#failed(name, by, error);
    }
    const wait = rate ? this.#waitMs(kernel.state.windows, name, rate, windowKeys(by.user, from)) : 0;
    if (rate && wait > 0) return rejected(rateLimited(name, rate, wait));
    if (!kernel.state.idempotency.hasRoomFor(as, now)) {
      const retryAfterMs = Math.max(1, kernel.state.idempotency.nextFreeAt(as) - now);
      kernel.context.alarm.ringBy(now + LONGEST_LOOK_MS);
      return rejected(
        rejection("unavailable", "This room can remember no more of your actions right now.", {
          retryAfterMs,
        }),
      );
    }

    try {
      const outcome = rule.bounds.decide(kernel.actionContextFor(feature, by), data);
      if (isRefusal(outcome)) return rejected(toRejection(outcome));
      const { answer } = outcome;
      const op = {
        user: as,
        id: action.id,
        fingerprint,
        at: now,
        rule: rate ? name : undefined,
        from,
        answer,
      };
      const seq = kernel.apply(feature, outcome, by, op);
      // Whoever has to go says nothing more meanwhile.
      const urgent = outcome.urgent || (outcome.disconnect?.length ?? 0) > 0;
      return { ok: true, isRepeat: false, seq, answer, urgent };
    } catch (error) {
      return this.#failed(name, by, error);
    }
  }

  /** Whether just this was done before. */
  wasDone({ id, f, a, d }: Action, user: string): boolean {
    const before = this.kernel.state.idempotency.find(user, id, this.kernel.now);
    return before?.fingerprint === hashAction(`${f}.${a}`, JSON.stringify(d));
  }

  /** A throw is a bug of the feature's: noted, and nothing was changed. */
  #failed(name: string, by: Actor, error: unknown): ActionResult {
    this.kernel.context.host.report(`${name} by ${by.user} failed`, error);
    return rejected(internalError);
  }

  /** A signal goes into the frame, newest of its kind and user. */
  signal(f: string, n: string, d: Json, by: Actor, from?: string): Rejection | undefined {
    const { kernel } = this;
    const rule = kernel.registry.signal(f, n);
    if (!rule) return rejection("bad_action", "This room has no such signal.");
    const { name, rate } = rule;
    let data: unknown;
    try {
      const checked = this.#check(rule, JSON.stringify(d), d, by);
      if (!checked.ok) return checked.refused;
      data = checked.data;
    } catch (error) {
      kernel.context.host.report(`${name} by ${by.user} failed`, error);
      return internalError;
    }
    const whose = windowKeys(by.user, from);
    const wait = rate ? this.#waitMs(this.#signalWindows, name, rate, whose) : 0;
    if (rate && wait > 0) return rateLimited(name, rate, wait);
    if (rate) for (const one of whose) this.#signalWindows.stamp(name, one, kernel.now);
    kernel.openFrame().addSignal({ f, n, d: data as Json, by: by.user });
    return undefined;
  }

  /** The longest of them: of a user, and of the address that a guest came from. */
  #waitMs(windows: SlidingWindow, rule: string, rate: Rate, whose: readonly string[]): number {
    let longest = 0;
    for (const one of whose) longest = Math.max(longest, windows.wait(rule, one, rate, this.kernel.now));
    return longest;
  }

  /** Old windows go, so that memory follows those who were here lately. */
  sweep(): void {
    const { rates } = this.kernel.registry;
    this.#signalWindows.sweep(rates, this.kernel.now);
    this.kernel.state.windows.sweep(new Map([...rates, [PENALTY, PENALTY_RATE]]), this.kernel.now);
  }

  #check(
    { name, bounds, schema }: Rule<Bounds & { speaks?(data: unknown): boolean }>,
    body: string,
    data: Json,
    by: Actor,
  ): { ok: true; data: unknown } | { ok: false; refused: Rejection } {
    if (rank(by.role) < rank(bounds.who ?? "player")) {
      return {
        ok: false,
        refused: rejection(
          "not_allowed",
          `Only ${bounds.who === "admin" ? "an admin" : "a host"} may do that.`,
        ),
      };
    }
    if (body.length * 3 > bounds.maxBytes && byteLength(body) > bounds.maxBytes) {
      return {
        ok: false,
        refused: rejection("too_large", `The data of ${name} may have ${bounds.maxBytes} bytes at most.`),
      };
    }
    const forbidden = this.#forbidden(name, bounds.isSpeech ?? false, by);
    if (forbidden) return { ok: false, refused: toRejection(forbidden) };
    const parsed = schema?.safeParse(data);
    if (!parsed) return { ok: false, refused: internalError };
    if (!parsed.success) return { ok: false, refused: badData(name, parsed.error.issues) };
    const mutedRejection = bounds.speaks?.(parsed.data) ? this.#forbidden(name, true, by) : undefined;
    if (mutedRejection) return { ok: false, refused: toRejection(mutedRejection) };
    return { ok: true, data: parsed.data };
  }

  #forbidden(rule: string, isSpeech: boolean, by: Actor): Refusal | undefined {
    for (const feature of this.#authorizers) {
      const refusal = feature.authorize?.(this.kernel.contextFor(feature), { rule, isSpeech, by });
      if (refusal) return refusal;
    }
    return undefined;
  }
}

/** Tells one action from another of the same id (FNV-1a): no secret, and looked at for two minutes. */
function hashAction(name: string, body: string): number {
  let print = 0x811c9dc5;
  for (let at = 0; at < name.length; at++) print = Math.imul(print ^ name.charCodeAt(at), 0x01000193);
  print = Math.imul(print ^ 0, 0x01000193);
  for (let at = 0; at < body.length; at++) print = Math.imul(print ^ body.charCodeAt(at), 0x01000193);
  return print >>> 0;
}

function rank(role: Role): number {
  return roles.indexOf(role);
}

function isRefusal(outcome: object): outcome is Refusal {
  return "refused" in outcome;
}

function rejected(rejection: Rejection): ActionResult {
  return { ok: false, rejection };
}
