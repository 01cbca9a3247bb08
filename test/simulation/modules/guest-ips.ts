import { closeCodes } from "../../../src/protocol/codes";
import type { Down, WireEvent } from "../../../src/protocol/messages";
import type { Random } from "../../platforms/random";
import type { Client } from "../client";
import type { Deployment } from "../deployment";
import type { EpochHistory } from "../durable-history";
import { Link } from "../link";
import type { RoomObject } from "../room-object";
import type { SimulationModule } from "../simulation-module";

/** Clocks and frames: a decision at one moment may be stored with the time of another. */
const SLACK_MS = 5_000;
const KICKED_MS = 60_000;
const CLOSED_MS = 900_000;

/** The history of one house: a guest there is moderated, and comes back as another guest. */
interface House {
  troll: string;
  life: EpochHistory | undefined;
  /** The record in which each of the house was first a member. */
  readonly cameWith: Map<string, number>;
  done: { what: string; record: number; at: number; untilMs: number } | undefined;
  isLifted: boolean;
}
const houses = new WeakMap<Deployment, Map<string, House>>();

/** Guests behind one address: a penalty for one of them holds for new guests there. */
export const addresses: SimulationModule = {
  name: "addresses",
  moves: {
    "moderate a guest, who comes in another tab": {
      weight: 4,
      run(deployment, random) {
        const host = deployment.pickClient(random, (one) => one.role !== "player" && one.isOnline);
        if (host) play(deployment, random, host);
      },
    },
  },

  onRecord(deployment, object, life, record) {
    const all = houses.get(deployment);
    if (!all) return;
    const events = record.text === undefined ? [] : (JSON.parse(record.text) as { e: WireEvent[] }).e;
    for (const change of record.m ?? []) {
      const house = "number" in change ? all.get(houseOf(change.user)) : undefined;
      if (!house || house.cameWith.has(change.user)) continue;
      house.life ??= life;
      house.cameWith.set(change.user, record.n);
      if (closedUntil(house, life) - SLACK_MS > record.at)
        deployment.reportBreach(
          19,
          `${change.user} came into ${object.name} after ${house.troll} was removed`,
        );
    }
    for (const [place, { f, n, d, by }] of events.entries()) {
      const { user = by } = d as { user?: string };
      const house = user === undefined ? undefined : all.get(houseOf(user));
      if (!house || user === undefined) continue;
      if (
        f === "chat" &&
        n === "said" &&
        isNew(house, user, life) &&
        mutedUntil(house) - SLACK_MS > record.at
      )
        deployment.reportBreach(19, `${user} spoke in ${object.name} after ${house.troll} was silenced`);
      if (f !== "moderation" || user !== house.troll || house.life !== life) continue;
      if (n === "unmuted" || n === "unbanned") house.isLifted = true;
      else if (!house.done && wasThere(house, events, place, n, record.n)) {
        const { untilMs = Number.POSITIVE_INFINITY } = d as { untilMs?: number };
        house.done = { what: n, record: record.n, at: record.at, untilMs };
      }
    }
  },
};

function play(deployment: Deployment, random: Random, host: Client): void {
  const { clock } = deployment;
  const { object } = host;
  const address = `house${deployment.freshId()}`;
  const all = houses.get(deployment) ?? new Map<string, House>();
  houses.set(deployment, all);
  const troll = `guest-${address}.troll`;
  const cameWith = new Map<string, number>();
  all.set(address, { troll, life: undefined, cameWith, done: undefined, isLifted: false });
  const come = (name: string, openedAt?: number) =>
    new Visitor(deployment, object, address, `guest-${address}.${name}`, openedAt);
  const visitors = [come("troll"), come("sister")];
  const [action, d] = random.pick([
    ["mute", { forMs: 60_000 + random.below(600_000) }],
    ["kick", {}],
    ["ban", { scope: random.pick(["room", "everywhere"]) }],
  ] as const);
  clock.in(2_000 + random.below(2_000), () => host.do("moderation", action, { user: troll, ...d }));
  if (action === "mute" && random.below(2) === 0)
    clock.in(11_000, () => host.do("moderation", action, { user: troll, ...d }));
  if (random.below(4) === 0)
    clock.in(15_000, () => host.do("moderation", action === "ban" ? "unban" : "unmute", { user: troll }));
  for (const [n, after] of [5_000, 8_000, 20_000].entries()) {
    clock.in(after + random.below(3_000), () => {
      visitors.push(come(`new${n}`, random.below(2) ? clock.now - random.below(600_000) : undefined));
    });
  }
  for (const after of [1_000, 13_000, 25_000, 30_000])
    clock.in(after + random.below(2_000), () => {
      for (const visitor of visitors) visitor.say();
    });
  clock.in(40_000, () => {
    for (const visitor of visitors) visitor.leave();
  });
}

/** A guest who comes once, sends messages and goes; one whose socket is closed stays away. */
class Visitor {
  readonly #link: Link;
  #isWelcome = false;

  constructor(
    private readonly deployment: Deployment,
    object: RoomObject,
    from: string,
    user: string,
    openedAt: number | undefined,
  ) {
    this.#link = new Link(deployment, object, user, undefined, {
      onText: (text) => this.#heard(text),
      onClosed: () => {
        this.#isWelcome = false;
      },
    });
    const expiresAt = Math.floor(deployment.clock.now) + 3_600_000;
    const opened = openedAt === undefined ? {} : { openedAt: Math.floor(openedAt) };
    const ticket = {
      user,
      name: user.slice(-20),
      role: "player",
      guest: true,
      expiresAt,
      tab: user,
    } as const;
    this.#link.open({ ...ticket, from, ...opened }, deployment.freshId());
  }

  say(): void {
    if (!this.#isWelcome) return;
    const id = this.deployment.freshId();
    this.#link.sendUp(JSON.stringify({ t: "do", id, f: "chat", a: "say", d: { text: "me again" } }));
  }

  leave(): void {
    this.#isWelcome = false;
    this.#link.close();
  }

  #heard(text: string): void {
    if (text === "pong") return;
    const message = JSON.parse(text) as Down;
    if (message.t === "welcome") this.#isWelcome = true;
    if (message.t === "frame") this.#link.sendUp(JSON.stringify({ t: "seen", seq: message.seq }));
    if (message.t === "nack" && message.code === "muted" && this.#link.user.endsWith(".sister"))
      this.deployment.reportBreach(19, `${this.#link.user} was there before, and is muted`);
    if (message.t !== "bye") return;
    if (message.code === closeCodes.tooMuch && this.#link.user.endsWith(".sister"))
      this.deployment.reportBreach(19, `${this.#link.user} was there before, and is closed`);
    this.leave();
  }
}

function houseOf(user: string): string {
  return /^guest-(.*)\./.exec(user)?.[1] ?? "";
}

/** Whether the guest was certainly a member at the time of the penalty: otherwise none holds for the address. */
function wasThere(
  house: House,
  events: readonly WireEvent[],
  place: number,
  what: string,
  record: number,
): boolean {
  if ((house.cameWith.get(house.troll) ?? record) >= record) return false;
  const isLeaving = ({ n, d }: WireEvent) => n === "left" && (d as { user: string }).user === house.troll;
  const leftAt = events.findIndex(isLeaving);
  return what === "muted" ? leftAt < 0 : leftAt > place;
}

function isNew({ done, cameWith, life: ours }: House, user: string, life: EpochHistory): boolean {
  return ours === life && done !== undefined && (cameWith.get(user) ?? 0) > done.record;
}

function closedUntil({ done, life: ours, isLifted }: House, life: EpochHistory): number {
  if (!done || isLifted || ours !== life) return 0;
  if (done.what === "kicked") return done.at + KICKED_MS;
  return done.what === "banned" ? Math.min(done.untilMs, done.at + CLOSED_MS) : 0;
}

function mutedUntil({ done, isLifted }: House): number {
  return done && !isLifted && done.what !== "kicked" ? done.untilMs : 0;
}
