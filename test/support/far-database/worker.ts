import { Rooms as LocalRooms } from "../../../src/worker/index";

export { Addresses, Boards, default, Users } from "../../../src/worker/index";

/** A round trip over an ocean to a busy database. */
const LATENCY_MS = 300;

type Args = ConstructorParameters<typeof LocalRooms>;
type Env = Args[1];

/** Rooms whose D1 is as far away as a deployed one may be: the answer to a commit comes a while later. */
export class Rooms extends LocalRooms {
  constructor(ctx: Args[0], env: Env) {
    super(ctx, { ...env, DB: withLatency(env.DB) });
  }
}

function withLatency(db: Env["DB"]): Env["DB"] {
  return new Proxy(db, {
    get(target, name) {
      if (name === "batch") {
        return async (statements: Parameters<Env["DB"]["batch"]>[0]) => {
          const results = await target.batch(statements);
          await new Promise((resolve) => setTimeout(resolve, LATENCY_MS));
          return results;
        };
      }
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
