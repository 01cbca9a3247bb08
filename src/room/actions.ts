import { crc32 } from "../protocol/checksum";
import { byteLength } from "../protocol/codec";
import { type Role, roles } from "../protocol/codes";
import { VERIFY_RATE } from "../protocol/limits";
import type { Json } from "../protocol/messages";
import type { ActionRule, Bounds, Refusal, Schema, Schemas, Speaker } from "./feature";
import type { Kernel } from "./kernel";
import { boundsOf } from "./kind";
import { badData, internal, ofDecision, type Refused, rateLimited, refused } from "./refusals";
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
  | { ok: true; again: boolean; seq?: number; answer?: Json; urgent: boolean }
  | { ok: false; refused: Refused };

/** No feature's rule: those have a dot in their names. */
const TRAFFIC = "connection";
const VERIFY = "verify";

/** Judges what is asked, in the one order: decode, authorise, limit, decide. Committing is the kernel's. */
export class Actions {
  /** The rates in force, by rule; a rule that is switched off is not in it. */
  readonly rates: ReadonlyMap<string, Rate>;
  /** Signals leave no trace in storage, and neither do their windows, nor those of a connection. */
  readonly #fleeting = new SlidingWindow();

  constructor(private readonly kernel: Kernel) {
    const { kind, settings } = kernel.parts;
    const all = kind.features.flatMap((feature) => Object.entries(boundsOf(feature)));
    const inForce = all.map(([rule, { rate }]): [string, Rate | null] => {
      const over = settings.rules[rule];
      return [rule, over !== undefined ? over : (kind.rules?.[rule] ?? rate)];
    });
    this.rates = new Map(inForce.filter((pair): pair is [string, Rate] => pair[1] !== null));
  }

  /** `as`: the name under which the operation's id is known, apart from the speaker's where they speak over HTTP. */
  act(action: Action, by: Speaker, as = by.user): Answer {
    const { kernel } = this;
    const now = kernel.now;
    const feature = kernel.features.get(action.f);
    const rule =
      feature && own<ActionRule<unknown, unknown, Schemas, Schemas, unknown>>(feature.actions, action.a);
    if (!feature || !rule) return no(refused("bad_action", "This room has no such action."));
    const name = `${action.f}.${action.a}`;
    const body = JSON.stringify(action.d);
    const print = crc32(`${name}\0${body}`);

    const before = kernel.memory.operations.find(as, action.id, now);
    if (before && before.print !== print) {
      return no(
        refused("duplicate", "This id was used for something else. Give each action an id of its own."),
      );
    }
    if (before) {
      const { seq, answer } = before;
      return {
        ok: true,
        again: true,
        urgent: true,
        ...(seq === undefined ? {} : { seq }),
        ...(answer === undefined ? {} : { answer }),
      };
    }

    let data: unknown;
    try {
      const schema = own<Schema<unknown>>(feature.schema.actions, action.a);
      const checked = this.#check(name, rule, schema, body, action.d, by);
      if (!checked.ok) return no(checked.refused);
      data = checked.data;
    } catch (error) {
      return this.#failed(name, by, error);
    }
    const rate = by.forRoom ? undefined : this.rates.get(name);
    const wait = rate ? kernel.memory.windows.wait(name, by.user, rate, now) : 0;
    if (rate && wait > 0) return no(rateLimited(name, rate, wait));
    if (kernel.memory.operations.isFull(now)) {
      const retryAfterMs = Math.max(1, kernel.memory.operations.nextFreeAt() - now);
      return no(
        refused("unavailable", "This room is taking all the actions it can remember.", { retryAfterMs }),
      );
    }

    try {
      const asked = { ...kernel.situation(feature), by };
      const outcome = rule.decide(asked, data);
      if (isRefusal(outcome)) return no(ofDecision(outcome));
      const { answer } = outcome;
      const op = {
        user: as,
        id: action.id,
        print,
        at: now,
        ...(rate ? { rule: name } : {}),
        ...(answer === undefined ? {} : { answer }),
      };
      const seq = kernel.apply(feature, outcome, by, op);
      return {
        ok: true,
        again: false,
        urgent: outcome.urgent ?? false,
        ...(seq === undefined ? {} : { seq }),
        ...(answer === undefined ? {} : { answer }),
      };
    } catch (error) {
      return this.#failed(name, by, error);
    }
  }

  /** A throw is a bug of the feature's: noted, and nothing was changed. */
  #failed(name: string, by: Speaker, error: unknown): Answer {
    this.kernel.parts.world.report(`${name} by ${by.user} failed`, error);
    return no(internal);
  }

  /** A signal goes into the frame, newest of its kind and user. */
  signal(f: string, n: string, d: Json, by: Speaker): Refused | undefined {
    const { kernel } = this;
    const feature = kernel.features.get(f);
    const rule = feature?.signals && own<Bounds>(feature.signals, n);
    if (!feature || !rule) return refused("bad_action", "This room has no such signal.");
    const name = `${f}.${n}`;
    const schema = own<Schema<unknown>>(feature.schema.signals ?? {}, n);
    let data: unknown;
    try {
      const checked = this.#check(name, rule, schema, JSON.stringify(d), d, by);
      if (!checked.ok) return checked.refused;
      data = checked.data;
    } catch (error) {
      kernel.parts.world.report(`${name} by ${by.user} failed`, error);
      return internal;
    }
    const rate = this.rates.get(name);
    const wait = rate ? this.#fleeting.wait(name, by.user, rate, kernel.now) : 0;
    if (rate && wait > 0) return rateLimited(name, rate, wait);
    if (rate) this.#fleeting.stamp(name, by.user, kernel.now);
    kernel.frame().addSignal({ f, n, d: data as Json, by: by.user });
    return undefined;
  }

  /** All messages of a connection, whatever they ask. */
  limitTraffic(connection: string): Refused | undefined {
    const { actionRate } = this.kernel.parts.settings;
    return actionRate ? this.#limit(TRAFFIC, connection, actionRate) : undefined;
  }

  /** Sums of a large state cost milliseconds. */
  limitVerify(connection: string): Refused | undefined {
    return this.#limit(VERIFY, connection, VERIFY_RATE);
  }

  forgetTraffic(connection: string): void {
    for (const rule of [TRAFFIC, VERIFY]) this.#fleeting.forget(rule, connection);
  }

  #limit(rule: string, connection: string, rate: Rate): Refused | undefined {
    const { now } = this.kernel;
    const wait = this.#fleeting.wait(rule, connection, rate, now);
    if (wait > 0) return rateLimited(rule, rate, wait);
    this.#fleeting.stamp(rule, connection, now);
    return undefined;
  }

  /** Old windows go, so that memory follows those who were here lately. */
  sweep(): void {
    const { actionRate } = this.kernel.parts.settings;
    const fleeting = new Map([...this.rates, [VERIFY, VERIFY_RATE]]);
    if (actionRate) fleeting.set(TRAFFIC, actionRate);
    this.#fleeting.sweep(fleeting, this.kernel.now);
    this.kernel.memory.windows.sweep(this.rates, this.kernel.now);
  }

  #check(
    name: string,
    rule: Bounds,
    schema: Schema<unknown> | undefined,
    body: string,
    data: Json,
    by: Speaker,
  ): { ok: true; data: unknown } | { ok: false; refused: Refused } {
    if (rank(by.role) < rank(rule.who ?? "player")) {
      return {
        ok: false,
        refused: refused("not_allowed", `Only ${rule.who === "admin" ? "an admin" : "a host"} may do that.`),
      };
    }
    if (body.length * 3 > rule.maxBytes && byteLength(body) > rule.maxBytes) {
      return {
        ok: false,
        refused: refused("too_large", `The data of ${name} may have ${rule.maxBytes} bytes at most.`),
      };
    }
    const parsed = schema?.safeParse(data);
    if (!parsed) return { ok: false, refused: internal };
    return parsed.success
      ? { ok: true, data: parsed.data }
      : { ok: false, refused: badData(name, parsed.error.issues) };
  }
}

/** Its own entry and nothing that every object has: `constructor` is nobody's action. */
function own<T>(table: Readonly<Record<string, unknown>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? (table[name] as T) : undefined;
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
