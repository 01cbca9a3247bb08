import { isFinal } from "../../../src/protocol/codes";
import type { Deployment } from "../deployment";
import { Page } from "../page";
import type { RoomObject } from "../room-object";
import type { SimulationModule } from "../simulation-module";

/** As pages number their actions: see `page.ts`. */
const PAGE_ACTION_ID = /^p-tab\d-/;

function isAsked(deployment: Deployment, object: RoomObject, user: string, id: string): boolean {
  return deployment.clients.some(
    (client) =>
      client instanceof Page && client.object === object && client.user === user && client.hasAsked(id),
  );
}

/** An action that a client sends by the rules is done once, through any faults on the way. */
export const once: SimulationModule = {
  name: "once",
  moves: {},
  onRecord(deployment, object, life, record) {
    for (const [user, id] of record.o ?? []) {
      const key = `${user}\0${id}`;
      const effects = [...object.truth.epochs.values()].reduce(
        (sum, { eventCounts: of }) => sum + (of.get(key) ?? 0),
        0,
      );
      if (id.startsWith("p-") && effects > 1)
        deployment.reportBreach(4, `${user}'s ${id} was done ${effects} times`);
      if (PAGE_ACTION_ID.test(id) && !isAsked(deployment, object, user, id))
        deployment.reportBreach(4, `${user}'s ${id} is an action that no client sent`);
      if (id.startsWith("p-") && (life.acceptCounts.get(key) ?? 0) > 1)
        deployment.reportBreach(4, `${user}'s ${id} was accepted twice`);
    }
  },
  checkSettled(deployment) {
    for (const tab of deployment.clients) {
      if (tab.endedBy !== undefined && !isFinal(tab.endedBy))
        deployment.reportBreach(14, `${tab.user} stays away`);
    }
  },
};
