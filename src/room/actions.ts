import { byteLength } from "../protocol/codec";
import { type Role, roles } from "../protocol/codes";
import { LONGEST_LOOK_MS } from "../protocol/limits";
import type { Json } from "../protocol/messages";
import type { AnyFeature, Bounds, Refusal, Speaker } from "./feature";
import type { Kernel } from "./kernel";
import { OFFENCE, OFFENCE_RATE, windowsOf } from "./offences";
import { badData, internal, ofDecision, type Refused, rateLimited, refused } from "./refusals";
import type { Rule } from "./rulebook";
import type { Rate } from "./settings";
import { SlidingWindow } from "./sliding-window";

export interface Action {
  id: string;
  f: string;
  a: string;
  d: Json;
}

/** Accepted: with the number of its last event, or what it answers. `again`: it had been done before. */
export type Answer =
  | { ok: true; again: boolean; seq: number | undefined; answer: Json | undefined; urgent: boolean }
  | { ok: false; refused: Refused };

/** Judges what is asked, in the one order: decode, authorise, limit, decide. Committing is the kernel's. */
export class Actions {
  /** Signals leave no trace in storage, and neither do their windows. */
  readonly #fleeting = new SlidingWindow();
  /** Those of this kind that have a word in what others ask. */
  readonly #permitting: readonly AnyFeature[];

  constructor(private readonly kernel: Kernel) {
    this.#permitting = kernel.parts.kind.features.filter(({ permits }) => permits !== undefined);
  }

  /** `as`: the name under which the operation's id is known, apart from the speaker's where they speak over HTTP. */
  act(
    action: Action,
    by: Speaker,
    { as = by.user, from }: { as?: string; from?: string | undefined } = {},
  ): Answer {
    const { kernel } = this;
    const now = kernel.now;
    const rule = kernel.rules.action(action.f, action.a);
    const name = rule?.name ?? `${action.f}.${action.a}`;
    const body = JSON.stringify(action.d);
    const print = printOf(name, body);

    const before = kernel.memory.operations.find(as, action.id, now);
    if (before && before.print !== print) {
      return no(
        refused("duplicate", "This id was used for something else. Give each action an id of its own."),
      );
    }
    if (before) {
      return { ok: true, again: true, seq: before.seq, answer: before.answer, urgent: true };
    }

    // What older code did stays done, also where this code knows no such action.
    if (!rule) return no(refused("bad_action", "This room has no such action."));
    const { feature, rate } = rule;
    let data: unknown;
    try {
      const checked = this.#check(rule, body, action.d, by);
      if (!checked.ok) return no(checked.refused);
      data = checked.data;
    } catch (error) {
      return this.#failed(name, by, error);
    }
    const wait = rate ? this.#wait(kernel.memory.windows, name, rate, windowsOf(by.user, from)) : 0;
    if (rate && wait > 0) return no(rateLimited(name, rate, wait));
    if (!kernel.memory.operations.hasSpaceFor(as, now)) {
      const retryAfterMs = Math.max(1, kernel.memory.operations.nextFreeAt(as) - now);
      kernel.parts.wheel.ensure(now + LONGEST_LOOK_MS);
      return no(
        refused("unavailable", "This room can remember no more of your actions right now.", { retryAfterMs }),
      );
    }

    try {
      const outcome = rule.bounds.decide(kernel.asked(feature, by), data);
      if (isRefusal(outcome)) return no(ofDecision(outcome));
      const { answer } = outcome;
      const op = {
        user: as,
        id: action.id,
        print,
        at: now,
        rule: rate ? name : undefined,
        from,
        answer,
      };
      const seq = kernel.apply(feature, outcome, by, op);
      // Whoever has to go says nothing more meanwhile.
      const urgent = outcome.urgent || (outcome.ends?.length ?? 0) > 0;
      return { ok: true, again: false, seq, answer, urgent };
    } catch (error) {
      return this.#failed(name, by, error);
    }
  }

  /** Whether just this was done before. */
  wasDone({ id, f, a, d }: Action, user: string): boolean {
    const before = this.kernel.memory.operations.find(user, id, this.kernel.now);
    return before?.print === printOf(`${f}.${a}`, JSON.stringify(d));
  }

  /** A throw is a bug of the feature's: noted, and nothing was changed. */
  #failed(name: string, by: Speaker, error: unknown): Answer {
    this.kernel.parts.world.report(`${name} by ${by.user} failed`, error);
    return no(internal);
  }

  /** A signal goes into the frame, newest of its kind and user. */
  signal(f: string, n: string, d: Json, by: Speaker, from?: string): Refused | undefined {
    const { kernel } = this;
    const rule = kernel.rules.signal(f, n);
    if (!rule) return refused("bad_action", "This room has no such signal.");
    const { name, rate } = rule;
    let data: unknown;
    try {
      const checked = this.#check(rule, JSON.stringify(d), d, by);
      if (!checked.ok) return checked.refused;
      data = checked.data;
    } catch (error) {
      kernel.parts.world.report(`${name} by ${by.user} failed`, error);
      return internal;
    }
    const whose = windowsOf(by.user, from);
    const wait = rate ? this.#wait(this.#fleeting, name, rate, whose) : 0;
    if (rate && wait > 0) return rateLimited(name, rate, wait);
    if (rate) for (const one of whose) this.#fleeting.stamp(name, one, kernel.now);
    kernel.frame().addSignal({ f, n, d: data as Json, by: by.user });
    return undefined;
  }

  /** The longest of them: of a user, and of the address that a guest came from. */
  #wait(windows: SlidingWindow, rule: string, rate: Rate, whose: readonly string[]): number {
    let longest = 0;
    for (const one of whose) longest = Math.max(longest, windows.wait(rule, one, rate, this.kernel.now));
    return longest;
  }

  /** Old windows go, so that memory follows those who were here lately. */
  sweep(): void {
    const { rates } = this.kernel.rules;
    this.#fleeting.sweep(rates, this.kernel.now);
    this.kernel.memory.windows.sweep(new Map([...rates, [OFFENCE, OFFENCE_RATE]]), this.kernel.now);
  }

  #check(
    { name, bounds, schema }: Rule<Bounds & { speaks?(data: unknown): boolean }>,
    body: string,
    data: Json,
    by: Speaker,
  ): { ok: true; data: unknown } | { ok: false; refused: Refused } {
    if (rank(by.role) < rank(bounds.who ?? "player")) {
      return {
        ok: false,
        refused: refused(
          "not_allowed",
          `Only ${bounds.who === "admin" ? "an admin" : "a host"} may do that.`,
        ),
      };
    }
    if (body.length * 3 > bounds.maxBytes && byteLength(body) > bounds.maxBytes) {
      return {
        ok: false,
        refused: refused("too_large", `The data of ${name} may have ${bounds.maxBytes} bytes at most.`),
      };
    }
    const forbidden = this.#forbidden(name, bounds.isSpeech ?? false, by);
    if (forbidden) return { ok: false, refused: ofDecision(forbidden) };
    const parsed = schema?.safeParse(data);
    if (!parsed) return { ok: false, refused: internal };
    if (!parsed.success) return { ok: false, refused: badData(name, parsed.error.issues) };
    const unsaid = bounds.speaks?.(parsed.data) ? this.#forbidden(name, true, by) : undefined;
    if (unsaid) return { ok: false, refused: ofDecision(unsaid) };
    return { ok: true, data: parsed.data };
  }

  #forbidden(rule: string, isSpeech: boolean, by: Speaker): Refusal | undefined {
    for (const feature of this.#permitting) {
      const refusal = feature.permits?.(this.kernel.situation(feature), { rule, isSpeech, by });
      if (refusal) return refusal;
    }
    return undefined;
  }
}

/** Tells one action from another of the same id (FNV-1a): no secret, and looked at for two minutes. */
function printOf(name: string, body: string): number {
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

function no(why: Refused): Answer {
  return { ok: false, refused: why };
}
