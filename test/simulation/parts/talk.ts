import { Page } from "../page";
import type { Part } from "../part";

const WORDS = ["hi", "💥\u2028", 'a\\"b', "é", "x"];

/** What people say, and what the room makes of what nobody should say. */
export const talk: Part = {
  name: "talk",
  moves: {
    say: {
      weight: 30,
      go: (deployment, chance) =>
        deployment
          .anyone(chance, (one) => one.isWanted)
          ?.do("chat", "say", {
            text: chance.pick(WORDS).repeat(1 + chance.below(chance.pick([5, 5, 200]))),
          }),
    },
    "say much at once": {
      weight: 4,
      go(deployment, chance) {
        const tab = deployment.anyone(chance, (held) => held.isOnline);
        for (let n = chance.below(12); n > 0; n--) tab?.do("chat", "say", { text: `${n}` });
      },
    },
    remove: {
      weight: 3,
      go(deployment, chance) {
        const tab = deployment.anyone(chance, (held) => held.isOnline);
        tab?.do("chat", "remove", { id: 1 + chance.below(Math.max(1, tab.seq)) });
      },
    },
    type: {
      weight: 5,
      go: (deployment, chance) =>
        deployment.anyone(chance, (one) => one.isOnline)?.say(signal(chance.pick(["chat", "lab"]), chance)),
    },
    /** Whoever speaks on opening is heard with its welcome, and what it does then begins a frame of its own. */
    "speak on opening": {
      weight: 3,
      go(deployment, chance) {
        const tab = deployment.anyTab(chance, (held) => held.barredBy === undefined && !held.isWelcome);
        const other = tab && deployment.anyone(chance, (one) => one.object === tab.object && one.isOnline);
        if (!tab) return;
        for (let n = 1 + chance.below(3); n > 0; n--) other?.do("lab", "add", { n });
        tab.isWanted = true;
        tab.connect();
        for (let n = 1 + chance.below(3); n > 0; n--) tab.sayOnOpening("lab", "add", { n });
      },
    },
    "say it twice": {
      weight: 6,
      go(deployment, chance) {
        const tab = deployment.anyTab(chance, (held) => held.isOnline);
        const again = tab && [...tab.asked.values()].at(-1 - chance.below(3));
        // A client may send again within half of the time only; this is what a net may deliver twice.
        const age = deployment.clock.now - (again?.sentAt ?? Number.NEGATIVE_INFINITY);
        if (!tab || !again || again.epoch !== tab.epoch || age >= 5_000) return;
        deployment.fault("message doubled");
        tab.say(again.text);
      },
    },
    "give an id a second meaning": {
      weight: 2,
      go(deployment, chance) {
        const tab = deployment.anyTab(chance, (held) => held.isOnline);
        const [id, asked] = tab ? ([...tab.asked].at(-1) ?? []) : [];
        if (!tab || id === undefined || asked?.outcome === undefined) return;
        tab.say(JSON.stringify({ t: "do", id: `x${id}`, f: "lab", a: "echo", d: { text: "once" } }));
        tab.say(JSON.stringify({ t: "do", id: `x${id}`, f: "lab", a: "echo", d: { text: "twice" } }));
      },
    },
    "talk nonsense": {
      weight: 4,
      go: (deployment, chance) =>
        deployment
          .anyTab(chance, (tab) => tab.link !== undefined)
          ?.say(
            chance.pick([
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
    verify: { weight: 6, go: (deployment, chance) => deployment.anyone(chance)?.say('{"t":"verify"}') },
    "ask the time": {
      weight: 1,
      go: (deployment, chance) => deployment.anyTab(chance)?.say('{"t":"clock","t0":1}'),
    },
  },

  settled(deployment) {
    for (const client of deployment.clients) {
      if (client instanceof Page) client.settled();
      else if (client.isOnline) client.check();
      const [forgotten] = client.isOnline ? client.unanswered : [];
      if (forgotten !== undefined) deployment.breach(14, `${client.user} was never answered ${forgotten}`);
      const { life } = client.object.truth;
      if (client.isOnline && client.epoch === life?.epoch && client.seq !== life?.seq) {
        deployment.breach(14, `${client.user} is at ${client.seq}, ${client.object.name} at ${life?.seq}`);
      }
    }
  },
};

function signal(f: string, chance: { below(n: number): number }): string {
  const message =
    f === "chat"
      ? { n: "typing", d: {} }
      : { n: chance.below(2) ? "point" : "rare", d: { x: chance.below(9) } };
  return JSON.stringify({ t: "sig", f, ...message });
}
