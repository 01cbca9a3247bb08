import { isFinal } from "../../../src/protocol/codes";
import type { Part } from "../part";

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
