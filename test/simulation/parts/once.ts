import { isFinal } from "../../../src/protocol/codes";
import type { Deployment } from "../deployment";
import { Page } from "../page";
import type { Part } from "../part";
import type { RoomObject } from "../room-object";

/** As pages number what they ask for: see `page.ts`. */
const PAGES = /^p-tab\d-/;

function isAsked(deployment: Deployment, object: RoomObject, user: string, id: string): boolean {
  return deployment.clients.some(
    (client) => client instanceof Page && client.object === object && client.user === user && client.asks(id),
  );
}

/** What a client does as it should is done once, whatever it went through on the way. */
export const once: Part = {
  name: "once",
  moves: {},
  recorded(deployment, object, life, record) {
    for (const [user, id] of record.o ?? []) {
      const key = `${user}\0${id}`;
      const effects = [...object.truth.lives.values()].reduce(
        (sum, { effects: of }) => sum + (of.get(key) ?? 0),
        0,
      );
      if (id.startsWith("p-") && effects > 1)
        deployment.breach(4, `${user}'s ${id} was done ${effects} times`);
      if (PAGES.test(id) && !isAsked(deployment, object, user, id))
        deployment.breach(4, `${user}'s ${id} is an action that nobody asked for`);
      if (id.startsWith("p-") && (life.times.get(key) ?? 0) > 1)
        deployment.breach(4, `${user}'s ${id} was accepted twice`);
    }
  },
  settled(deployment) {
    for (const tab of deployment.clients) {
      if (tab.barredBy !== undefined && !isFinal(tab.barredBy))
        deployment.breach(14, `${tab.user} stays away`);
    }
  },
};
