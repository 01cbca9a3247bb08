import type { EffectHandlers } from "../lib/effect-handler";

/** The handlers of features that do not come with Tallyroom, made from the variables and bindings of the deployment. */
export type CustomEffects<Env> = (env: Env) => EffectHandlers;

/** If they cannot be made, rooms still open. The failure is logged, and rooms keep retrying the effects. */
export function openCustomHandlers<Env>(custom: CustomEffects<Env> | undefined, env: Env): EffectHandlers {
  try {
    return custom?.(env) ?? {};
  } catch (error) {
    console.error("The custom effect handlers could not be created:", error);
    return {};
  }
}
