/**
 * @typedef {object} Fixed
 * @property {number} rate messages a second, of all people together
 * @property {string} [why] what the rate is there to show
 *
 * @typedef {object} Scenario
 * @property {string} name
 * @property {string} title
 * @property {number} rooms
 * @property {number} people in each room
 * @property {number} talkers in each room
 * @property {number} observers in each room: sockets whose every message is parsed
 * @property {Fixed[]} fixed lowest first
 * @property {string} [beside] whom ours is compared with window by window too, at the first fixed rate
 * @property {number} startRate where the search for the top begins, messages a second
 */

/** @type {Record<string, Scenario>} */
export const scenarios = {
  a: {
    name: "a",
    title: "100 people in one room, 10 of them talking",
    rooms: 1,
    people: 100,
    talkers: 10,
    observers: 4,
    fixed: [{ rate: 20 }, { rate: 200 }, { rate: 800 }],
    startRate: 800,
  },
  b: {
    name: "b",
    title: "1,000 people in one room, 20 of them talking",
    rooms: 1,
    people: 1000,
    talkers: 20,
    observers: 6,
    fixed: [{ rate: 20 }, { rate: 300, why: "300 events a second to everybody" }],
    startRate: 20,
  },
  c: {
    name: "c",
    title: "200 rooms of 5, each person twice a second",
    rooms: 200,
    people: 5,
    talkers: 5,
    observers: 1,
    fixed: [{ rate: 2000, why: "each person twice a second" }],
    beside: "stored",
    startRate: 2000,
  },
};

/** Deliveries that one message makes. @param {Scenario} scenario */
export const fanout = (scenario) => scenario.people;
