import type { Rate } from "../../protocol/rates";
import type { ProfanityPolicy } from "../inbound/text-filter";
import { type Boards, checkBoard } from "./board";
import type { AnyFeature } from "./feature";

/** A named make of room. */
export interface Kind<N extends string = string, F extends readonly AnyFeature[] = readonly AnyFeature[]> {
  readonly name: N;
  readonly features: F;
  /** Rates by rule name (`chat.say`) where this kind differs from its features. */
  readonly rules?: Readonly<Record<string, Rate | null>>;
  /** The boards that its rooms feed, by name. No other board takes points from them. */
  readonly boards?: Boards;
  /** How long a room is kept once nobody is in it; the deployment's `IDLE_MS` if absent. */
  readonly keepMs?: number;
  /** What becomes of words that not everybody wants to read, in names, messages and titles; `allow` if absent. */
  readonly words?: ProfanityPolicy;
}

export function defineKind<const N extends string, const F extends readonly AnyFeature[]>(
  kind: Kind<N, F>,
): Kind<N, F> {
  if (!/^[a-z][a-z0-9-]{0,31}$/.test(kind.name)) {
    throw new TypeError(`A kind's name is 1–32 small letters, digits and dashes; "${kind.name}" is not.`);
  }
  const names = kind.features.map((feature) => feature.name);
  const repeated = names.find((name, at) => names.indexOf(name) !== at);
  if (repeated) throw new TypeError(`The kind "${kind.name}" has the feature "${repeated}" twice.`);
  const rules = new Set(kind.features.flatMap((feature) => Object.keys(boundsOf(feature))));
  const unknown = Object.keys(kind.rules ?? {}).find((rule) => !rules.has(rule));
  if (unknown)
    throw new TypeError(
      `The kind "${kind.name}" sets a rate for "${unknown}", which none of its features has.`,
    );
  for (const [name, board] of Object.entries(kind.boards ?? {})) checkBoard(kind.name, name, board);
  return kind;
}

/** Every rule of a feature by its name on the wire. */
export function boundsOf(feature: AnyFeature): Record<string, { maxBytes: number; rate: Rate }> {
  const all = { ...feature.actions, ...feature.signals };
  return Object.fromEntries(
    Object.entries(all).map(([name, rule]) => [`${feature.name}.${name}`, rule as never]),
  );
}
