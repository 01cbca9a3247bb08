import { fanout } from "./scenarios.mjs";

/**
 * What a crowd is owed from now on, and what it has got.
 * @param {import("./crowd.mjs").Crowd} crowd
 */
export function openMeter(crowd) {
  const people = fanout(crowd.scenario);
  const from = countTalk(crowd);
  const troublesFrom = crowd.problemCount;
  const rooms = crowd.rooms.map((room) => ({
    room,
    sent: room.sent,
    others: othersIn(room),
    received: room.clients.map(({ received }) => received),
  }));
  return {
    sent: 0,
    /** Deliveries under way: cheap enough to ask all the time. */
    backlog() {
      return this.sent * people - (countTalk(crowd) - from);
    },
    /** Socket by socket, so that what one got twice does not make up for what another never got. */
    account() {
      let missing = 0;
      let surplus = 0;
      for (const { room, sent, others, received } of rooms) {
        const due = room.sent - sent + (othersIn(room) - others);
        for (const person of room.clients) {
          const lacks = due - (person.received - Number(received[person.index]));
          if (lacks > 0) missing += lacks;
          else surplus -= lacks;
        }
      }
      return { missing, surplus };
    },
    troubles: () =>
      crowd.problemCount === troublesFrom
        ? []
        : [`${crowd.problemCount - troublesFrom} troubles, such as ${crowd.problems.at(-1)}`],
  };
}

/**
 * Deliveries of what people said: joins and counts of members are numbered too, and are taken off.
 * @param {import("./crowd.mjs").Crowd} crowd
 */
export function countTalk(crowd) {
  let others = 0;
  for (const room of crowd.rooms) others += othersIn(room);
  return crowd.received - others * fanout(crowd.scenario);
}

/** Events that nobody said, which only an observer knows apart. @param {import("./crowd.mjs").Room} room */
const othersIn = (room) => room.observer?.otherEvents ?? 0;
