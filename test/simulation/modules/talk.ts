import { Page } from "../page";
import type { SimulationModule } from "../simulation-module";

const TEXTS = ["hi", "💥\u2028", 'a\\"b', "é", "x"];

/** Messages, valid and invalid ones. */
export const talk: SimulationModule = {
  name: "talk",
  moves: {
    say: {
      weight: 30,
      run: (deployment, random) =>
        deployment
          .pickClient(random, (one) => one.isWanted)
          ?.do("chat", "say", {
            text: random.pick(TEXTS).repeat(1 + random.below(random.pick([5, 5, 200]))),
          }),
    },
    "say much at once": {
      weight: 4,
      run(deployment, random) {
        const tab = deployment.pickClient(random, (one) => one.isOnline);
        for (let n = random.below(12); n > 0; n--) tab?.do("chat", "say", { text: `${n}` });
      },
    },
    remove: {
      weight: 3,
      run(deployment, random) {
        const tab = deployment.pickClient(random, (one) => one.isOnline);
        tab?.do("chat", "remove", { id: 1 + random.below(Math.max(1, tab.seq)) });
      },
    },
    type: {
      weight: 5,
      run: (deployment, random) =>
        deployment
          .pickClient(random, (one) => one.isOnline)
          ?.send(makeSignal(random.pick(["chat", "lab"]), random)),
    },
    /** The room handles messages sent on opening with the welcome, and they begin a new frame. */
    "speak on opening": {
      weight: 3,
      run(deployment, random) {
        const tab = deployment.pickTab(random, (one) => one.endedBy === undefined && !one.isWelcomed);
        const other =
          tab && deployment.pickClient(random, (one) => one.object === tab.object && one.isOnline);
        if (!tab) return;
        for (let n = 1 + random.below(3); n > 0; n--) other?.do("lab", "add", { n });
        tab.isWanted = true;
        tab.connect();
        for (let n = 1 + random.below(3); n > 0; n--) tab.doBeforeWelcome("lab", "add", { n });
      },
    },
    "say it twice": {
      weight: 6,
      run(deployment, random) {
        const tab = deployment.pickTab(random, (one) => one.isOnline);
        const again = tab && [...tab.actions.values()].at(-1 - random.below(3));
        // A client may send again within half of the time only; this is what a net may deliver twice.
        const age = deployment.clock.now - (again?.sentAt ?? Number.NEGATIVE_INFINITY);
        if (!tab || !again || again.epoch !== tab.epoch || age >= 5_000) return;
        deployment.countFault("message doubled");
        tab.send(again.text);
      },
    },
    "give an id a second meaning": {
      weight: 2,
      run(deployment, random) {
        const tab = deployment.pickTab(random, (one) => one.isOnline);
        const [id, last] = tab ? ([...tab.actions].at(-1) ?? []) : [];
        if (!tab || id === undefined || last?.outcome === undefined) return;
        tab.send(JSON.stringify({ t: "do", id: `x${id}`, f: "lab", a: "echo", d: { text: "once" } }));
        tab.send(JSON.stringify({ t: "do", id: `x${id}`, f: "lab", a: "echo", d: { text: "twice" } }));
      },
    },
    "talk nonsense": {
      weight: 4,
      run: (deployment, random) =>
        deployment
          .pickTab(random, (tab) => tab.link !== undefined)
          ?.send(
            random.pick([
              "",
              "{",
              "null",
              '{"t":"do"}',
              '{"t":"seen","seq":9007199254740991}',
              '{"t":"seen","seq":0}',
              '{"t":"sig","f":"constructor","n":"__proto__"}',
              '{"t":"do","id":"n1","f":"__proto__","a":"toString"}',
              '{"t":"clock","t0":1e308}',
              "ping",
            ]),
          ),
    },
    verify: { weight: 6, run: (deployment, random) => deployment.pickClient(random)?.send('{"t":"verify"}') },
    "ask the time": {
      weight: 1,
      run: (deployment, random) => deployment.pickTab(random)?.send('{"t":"clock","t0":1}'),
    },
  },

  checkSettled(deployment) {
    for (const client of deployment.clients) {
      if (client instanceof Page) client.checkSettled();
      else if (client.isOnline) client.checkState();
      const [forgotten] = client.isOnline ? client.unanswered : [];
      if (forgotten !== undefined)
        deployment.reportBreach(14, `${client.user} was never answered ${forgotten}`);
      const { current: life } = client.object.truth;
      if (client.isOnline && client.epoch === life?.epoch && client.seq !== life?.seq) {
        deployment.reportBreach(
          14,
          `${client.user} is at ${client.seq}, ${client.object.name} at ${life?.seq}`,
        );
      }
    }
  },
};

function makeSignal(f: string, random: { below(n: number): number }): string {
  const message =
    f === "chat"
      ? { n: "typing", d: {} }
      : { n: random.below(2) ? "point" : "rare", d: { x: random.below(9) } };
  return JSON.stringify({ t: "sig", f, ...message });
}
