import type { Json } from "../../../src/protocol/messages";
import type { Deployment } from "../deployment";
import type { Part } from "../part";
import type { Response as Answer } from "../platform-globals";
import type { RoomObject } from "../room-object";

interface Posted {
  object: RoomObject;
  action: { id: string; f: string; a: string; d: Json };
  user: string;
  at: number;
  epoch: string | undefined;
  answer?: string;
}
const posted = new WeakMap<Deployment, Posted[]>();

/** What is asked over HTTP. */
export const http: Part = {
  name: "http",
  moves: {
    look: {
      weight: 4,
      async go(deployment, chance) {
        const object = chance.pick(deployment.objects);
        await look(deployment, object);
        // Again while something of what is on its way may gather.
        for (let n = 0; n < 3; n++) deployment.clock.in(1 + chance.below(30), () => look(deployment, object));
      },
    },
    "look while something gathers": {
      weight: 2,
      go(deployment, chance) {
        const client = deployment.anyone(chance, (one) => one.isOnline);
        if (!client) return;
        for (let n = 0; n < 4; n++) client.do("lab", "add", { n });
        for (let n = 1; n < 6; n++) deployment.clock.in(n, () => look(deployment, client.object));
      },
    },
    post: {
      weight: 6,
      async go(deployment, chance) {
        const object = chance.pick(deployment.objects);
        const [a, d] = chance.pick<[string, Json]>([
          ["add", { n: chance.below(9) }],
          ["echo", { text: `e${chance.below(9)}` }],
          ["deal", { to: ["ann"] }],
        ]);
        const action = { id: `p-${deployment.freshId()}`, f: "lab", a, d };
        const epoch = object.truth.life?.epoch;
        const asked: Posted = { object, action, user: "hanna", at: deployment.clock.now, epoch };
        of(deployment).push(asked);
        await post(deployment, asked);
      },
    },
    "post again": {
      weight: 3,
      async go(deployment, chance) {
        const asked = of(deployment).at(-1 - chance.below(3));
        if (!asked || asked.epoch === undefined || asked.epoch !== asked.object.truth.life?.epoch) return;
        if (deployment.clock.now - asked.at < 5_000) await post(deployment, asked);
      },
    },
    close: {
      weight: 0.5,
      go: (deployment, chance) => close(chance.pick(deployment.objects)),
    },
    /** Somebody's action is done, they never hear of it, and come back to a room that begins anew. */
    "close while somebody is cut off": {
      weight: 1,
      go(deployment, chance) {
        const page = deployment.anyPage(chance);
        const { link } = page ?? {};
        if (!page?.isOnline || !link) return;
        const { clock } = deployment;
        link.stalledUntil = clock.now + 5_000;
        page.do("lab", "add", { n: 1 });
        clock.in(1_500, () => close(page.object));
        clock.in(2_000, () => {
          deployment.fault("connection cut");
          link.cut();
        });
      },
    },
  },
};

async function close({ truth, process }: RoomObject): Promise<void> {
  if (!truth.life) return;
  const caller = { user: "hanna", name: "hanna", role: "host" as const };
  await process.deliver((host) => host.answer({ method: "DELETE", caller }));
}

function of(deployment: Deployment): Posted[] {
  const held = posted.get(deployment) ?? [];
  posted.set(deployment, held);
  return held;
}

async function look(deployment: Deployment, object: RoomObject): Promise<void> {
  const { process } = object;
  // Nobody is woken to be told that there is no such room.
  if (!process.room && !process.world.has("room")) return;
  await process.deliver(async (host) => {
    const { status, body } = (await host.answer({ method: "GET" })) as unknown as Answer;
    if (process.isDead) return;
    process.world.release(() => {
      if (status !== 200) return;
      const { epoch, seq, users } = JSON.parse(body ?? "") as { epoch: string; seq: number; users: number };
      const life = object.truth.lives.get(epoch);
      if (!life || seq > life.seq)
        return deployment.breach(2, `a look at ${seq}, durable up to ${life?.seq}`);
      if (seq !== life.seq || users !== life.members.size) {
        deployment.breach(
          3,
          `a look at ${seq} with ${users}; durable are ${life.seq} and ${life.members.size}`,
        );
      }
    });
  });
}

async function post(deployment: Deployment, asked: Posted): Promise<void> {
  const { object, action, user } = asked;
  const { process } = object;
  const caller = { user, name: user, role: "host" as const };
  const existed = process.world.has("room");
  await process.deliver(async (host) => {
    const { status, body } = (await host.answer({ method: "POST", action, caller })) as unknown as Answer;
    if (process.isDead) return;
    if (status !== 200 && !existed && !process.world.has("room")) {
      process.storage?.deleteAll().catch(() => undefined);
    }
    process.world.release(() => {
      if (status !== 200) return;
      const { seq } = JSON.parse(body ?? "") as { seq?: number };
      const { life } = object.truth;
      const done = life?.done.get(`\0${user}\0${action.id}`);
      if (!life || !done) return deployment.breach(2, `an answer for ${action.id}, which is not durable`);
      if (seq !== undefined && life.events[seq - 1]?.op !== action.id) {
        deployment.breach(
          2,
          `${action.id} is answered ${seq}, which is ${JSON.stringify(life.events[seq - 1])}`,
        );
      }
      if (asked.answer !== undefined && asked.epoch === life.epoch && asked.answer !== body) {
        deployment.breach(11, `${action.id} was answered ${asked.answer} and is ${body}`);
      }
      asked.answer = body ?? "";
      asked.epoch = life.epoch;
    });
  });
}
