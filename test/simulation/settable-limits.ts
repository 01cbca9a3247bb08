/** The bundler puts `protocol/limits.ts` here, with its constants made settable: see `bundle.mjs`. */
export function setLimits(_: Readonly<Record<string, number>>): void {
  throw new Error("The simulation runs from its bundle.");
}
