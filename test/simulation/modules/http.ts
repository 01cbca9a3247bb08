import type { Json } from "../../../src/protocol/messages";
import type { Deployment } from "../deployment";
import type { Response as Answer } from "../platform-globals";
import type { RoomObject } from "../room-object";
import type { SimulationModule } from "../simulation-module";

interface PostedAction {
  object: RoomObject;
  action: { id: string; f: string; a: string; d: Json };
  user: string;
  at: number;
  epoch: string | undefined;
  answer?: string;
}
const postedActions = new WeakMap<Deployment, PostedAction[]>();

/** Requests over HTTP. */
export const http: SimulationModule = {
  name: "http",
  moves: {
    look: {
      weight: 4,
      async run(deployment, random) {
        const object = random.pick(deployment.objects);
        await checkSummary(deployment, object);
        // Again while events may gather in the open frame.
        for (let n = 0; n < 3; n++)
          deployment.clock.in(1 + random.below(30), () => checkSummary(deployment, object));
      },
    },
    "look while something gathers": {
      weight: 2,
      run(deployment, random) {
        const client = deployment.pickClient(random, (one) => one.isOnline);
        if (!client) return;
        for (let n = 0; n < 4; n++) client.do("lab", "add", { n });
        for (let n = 1; n < 6; n++) deployment.clock.in(n, () => checkSummary(deployment, client.object));
      },
    },
    post: {
      weight: 6,
      async run(deployment, random) {
        const object = random.pick(deployment.objects);
        const [a, d] = random.pick<[string, Json]>([
          ["add", { n: random.below(9) }],
          ["echo", { text: `e${random.below(9)}` }],
          ["deal", { to: ["ann"] }],
        ]);
        const action = { id: `p-${deployment.freshId()}`, f: "lab", a, d };
        const epoch = object.truth.current?.epoch;
        const posted: PostedAction = { object, action, user: "hanna", at: deployment.clock.now, epoch };
        postedBy(deployment).push(posted);
        await postAndCheck(deployment, posted);
      },
    },
    "post again": {
      weight: 3,
      async run(deployment, random) {
        const posted = postedBy(deployment).at(-1 - random.below(3));
        if (!posted || posted.epoch === undefined || posted.epoch !== posted.object.truth.current?.epoch)
          return;
        if (deployment.clock.now - posted.at < 5_000) await postAndCheck(deployment, posted);
      },
    },
    close: {
      weight: 0.5,
      run: (deployment, random) => closeRoom(random.pick(deployment.objects)),
    },
    /** An action is done, its answer is lost, and its user comes back to a new epoch of the room. */
    "close while somebody is cut off": {
      weight: 1,
      run(deployment, random) {
        const page = deployment.pickPage(random);
        const { link } = page ?? {};
        if (!page?.isOnline || !link) return;
        const { clock } = deployment;
        link.stalledUntil = clock.now + 5_000;
        page.do("lab", "add", { n: 1 });
        clock.in(1_500, () => closeRoom(page.object));
        clock.in(2_000, () => {
          deployment.countFault("connection cut");
          link.cut();
        });
      },
    },
  },
};

async function closeRoom({ truth, process }: RoomObject): Promise<void> {
  if (!truth.current) return;
  const caller = { user: "hanna", name: "hanna", role: "host" as const };
  await process.deliver((host) => host.answer({ method: "DELETE", caller }));
}

function postedBy(deployment: Deployment): PostedAction[] {
  const actions = postedActions.get(deployment) ?? [];
  postedActions.set(deployment, actions);
  return actions;
}

async function checkSummary(deployment: Deployment, object: RoomObject): Promise<void> {
  const { process } = object;
  // A request for a room that does not exist wakes none.
  if (!process.room && !process.runtime.has("room")) return;
  await process.deliver(async (host) => {
    const { status, body } = (await host.answer({ method: "GET" })) as unknown as Answer;
    if (process.isDead) return;
    process.runtime.release(() => {
      if (status !== 200) return;
      const { epoch, seq, users } = JSON.parse(body ?? "") as { epoch: string; seq: number; users: number };
      const life = object.truth.epochs.get(epoch);
      if (!life || seq > life.seq)
        return deployment.reportBreach(2, `a look at ${seq}, durable up to ${life?.seq}`);
      if (seq !== life.seq || users !== life.members.size) {
        deployment.reportBreach(
          3,
          `a look at ${seq} with ${users}; durable are ${life.seq} and ${life.members.size}`,
        );
      }
    });
  });
}

async function postAndCheck(deployment: Deployment, posted: PostedAction): Promise<void> {
  const { object, action, user } = posted;
  const { process } = object;
  const caller = { user, name: user, role: "host" as const };
  const existed = process.runtime.has("room");
  await process.deliver(async (host) => {
    const { status, body } = (await host.answer({ method: "POST", action, caller })) as unknown as Answer;
    if (process.isDead) return;
    if (status !== 200 && !existed && !process.runtime.has("room")) {
      process.storage?.deleteAll().catch(() => undefined);
    }
    process.runtime.release(() => {
      if (status !== 200) return;
      const { seq } = JSON.parse(body ?? "") as { seq?: number };
      const { current: life } = object.truth;
      const done = life?.doneActions.get(`\0${user}\0${action.id}`);
      if (!life || !done)
        return deployment.reportBreach(2, `an answer for ${action.id}, which is not durable`);
      if (seq !== undefined && life.events[seq - 1]?.op !== action.id) {
        deployment.reportBreach(
          2,
          `${action.id} is answered ${seq}, which is ${JSON.stringify(life.events[seq - 1])}`,
        );
      }
      if (posted.answer !== undefined && posted.epoch === life.epoch && posted.answer !== body) {
        deployment.reportBreach(11, `${action.id} was answered ${posted.answer} and is ${body}`);
      }
      posted.answer = body ?? "";
      posted.epoch = life.epoch;
    });
  });
}
