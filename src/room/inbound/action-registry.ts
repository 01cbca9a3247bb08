import type { Rate } from "../../protocol/rates";
import type { ActionRule, AnyFeature, Bounds, Schema, Schemas } from "../api/feature";
import { boundsOf, type Kind } from "../api/kind";
import type { RoomSettings } from "../settings";

/** Something that may be asked: an action, or a signal. */
export interface Rule<B extends Bounds = Bounds> {
  /** As on the wire: `chat.say`. */
  readonly name: string;
  readonly feature: AnyFeature;
  readonly bounds: B;
  readonly schema: Schema<unknown> | undefined;
  /** The one in force; absent where it is switched off. */
  readonly rate: Rate | undefined;
}
type AnyActionRule = ActionRule<unknown, unknown, Schemas, Schemas, unknown>;
type Rules<B extends Bounds> = ReadonlyMap<string, ReadonlyMap<string, Rule<B>>>;

/** What may be asked in the rooms of a kind, and how often. Those under the same settings share one, which is soon found by every message. */
export class ActionRegistry {
  /** The rates in force, by rule; a rule that is switched off is not in it. */
  readonly rates: ReadonlyMap<string, Rate>;
  readonly #actions: Rules<AnyActionRule>;
  readonly #signals: Rules<Bounds>;

  private constructor(kind: Kind, settings: RoomSettings) {
    this.rates = ratesOf(kind, settings);
    this.#actions = rulesOf(kind, this.rates, ({ actions, schema }) => [actions, schema.actions]);
    this.#signals = rulesOf(kind, this.rates, ({ signals, schema }) => [signals, schema.signals]);
  }

  static of(kind: Kind, settings: RoomSettings): ActionRegistry {
    const registries = cache.get(settings) ?? new WeakMap<Kind, ActionRegistry>();
    const known = registries.get(kind);
    if (known) return known;
    const registry = new ActionRegistry(kind, settings);
    cache.set(settings, registries.set(kind, registry));
    return registry;
  }

  action(feature: string, name: string): Rule<AnyActionRule> | undefined {
    return this.#actions.get(feature)?.get(name);
  }

  signal(feature: string, name: string): Rule | undefined {
    return this.#signals.get(feature)?.get(name);
  }
}

const cache = new WeakMap<RoomSettings, WeakMap<Kind, ActionRegistry>>();

/** What is set for this kind goes before what is set for all, and that before what the kind and its features say. */
function ratesOf(kind: Kind, settings: RoomSettings): ReadonlyMap<string, Rate> {
  const rates = new Map<string, Rate>();
  for (const feature of kind.features) {
    for (const [rule, { rate }] of Object.entries(boundsOf(feature))) {
      const set = [settings.rules[`${kind.name}:${rule}`], settings.rules[rule], kind.rules?.[rule], rate];
      const inForce = set.find((each) => each !== undefined);
      if (inForce) rates.set(rule, inForce);
    }
  }
  return rates;
}

function rulesOf<B extends Bounds>(
  kind: Kind,
  rates: ReadonlyMap<string, Rate>,
  of: (feature: AnyFeature) => [all: Readonly<Record<string, B>> | undefined, schemas: Schemas | undefined],
): Rules<B> {
  return new Map(
    kind.features.map((feature) => {
      const [all = {}, schemas = {}] = of(feature);
      const rules = Object.entries(all).map(([key, bounds]): [string, Rule<B>] => {
        const name = `${feature.name}.${key}`;
        const schema = Object.hasOwn(schemas, key) ? schemas[key] : undefined;
        return [key, { name, feature, bounds, schema, rate: rates.get(name) }];
      });
      return [feature.name, new Map(rules)];
    }),
  );
}
