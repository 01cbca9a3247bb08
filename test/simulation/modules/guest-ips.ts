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
const NETWORK_MS = 3_600_000;

/** What a host did about a guest of a house. */
interface Penalty {
  user: string;
  what: string;
  record: number;
  at: number;
  untilMs: number;
  isLifted: boolean;
}
/** The history of one house: guests there are moderated, and come back as other guests, some at another address of the network. */
interface House {
  life: EpochHistory | undefined;
  /** The record in which each of the house was first a member. */
  readonly cameWith: Map<string, number>;
  readonly penalties: Penalty[];
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
      if (closedUntil(house, change.user, life, record.at) - SLACK_MS > record.at)
        deployment.reportBreach(19, `${change.user} came into ${object.name} after a removal`);
    }
    for (const { f, n, d, by } of events) {
      const { user = by } = d as { user?: string };
      const house = user === undefined ? undefined : all.get(houseOf(user));
      if (!house || user === undefined) continue;
      if (f === "chat" && n === "said" && mutedUntil(house, user, life) - SLACK_MS > record.at)
        deployment.reportBreach(19, `${user} spoke in ${object.name} after a penalty`);
      if (f !== "moderation" || house.life !== life) continue;
      const before = house.penalties.find((penalty) => penalty.user === user);
      if (n === "unmuted" || n === "unbanned") {
        if (before) before.isLifted = true;
      } else if (!before && (house.cameWith.get(user) ?? record.n) < record.n) {
        const { untilMs = n === "kicked" ? record.at + KICKED_MS : Number.POSITIVE_INFINITY } = d as {
          untilMs?: number;
        };
        house.penalties.push({ user, what: n, record: record.n, at: record.at, untilMs, isLifted: false });
      }
    }
  },
};

function play(deployment: Deployment, random: Random, host: Client): void {
  const { clock } = deployment;
  const { object } = host;
  const network = `house${deployment.freshId()}`;
  const all = houses.get(deployment) ?? new Map<string, House>();
  houses.set(deployment, all);
  const userOf = (name: string) => `guest-${network}.${name}`;
  const house: House = { life: undefined, cameWith: new Map(), penalties: [] };
  all.set(network, house);
  const come = (name: string) => {
    const visitor = new Visitor(deployment, object, house, userOf(name));
    visitors.push(visitor);
    return visitor;
  };
  const visitors: Visitor[] = [];
  const [troll, , brother] = ["home-troll", "home-sister", "home-brother"].map(come);
  // Both are gone before the penalty, and it is the same as if they had stayed.
  clock.in(1_200, () => brother?.leave());
  if (random.below(2) === 0) clock.in(1_200, () => troll?.leave());
  const [action, d] = random.pick([
    ["mute", { forMs: 60_000 + random.below(600_000) }],
    ["kick", {}],
    ["ban", { scope: random.pick(["room", "everywhere"]) }],
  ] as const);
  const moderate = (afterMs: number, name: string, what: string = action) =>
    clock.in(afterMs, () =>
      host.do("moderation", what, { user: userOf(name), ...(what === action ? d : {}) }),
    );
  // After the longest grace: a guest who left is certainly no member.
  moderate(random.pick([2_000, 7_000]) + random.below(2_000), "home-troll");
  if (action === "mute" && random.below(2) === 0) moderate(12_000, "home-troll");
  if (random.below(2) === 0) moderate(18_000, "away-new0");
  if (random.below(4) === 0) moderate(20_000, "home-troll", action === "ban" ? "unban" : "unmute");
  for (const [n, after] of [10_000, 13_000, 22_000].entries()) {
    clock.in(after + random.below(3_000), () => {
      come(`home-new${n}`);
    });
    clock.in(after + random.below(3_000), () => {
      come(`away-new${n}`);
    });
  }
  clock.in(23_000, () => {
    come("third-new");
  });
  clock.in(12_000, () => {
    come("home-brother");
  });
  for (const after of [1_000, 17_000, 27_000, 32_000])
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
    private readonly house: House,
    user: string,
  ) {
    this.#link = new Link(deployment, object, user, undefined, {
      onText: (text) => this.#heard(text),
      onClosed: () => {
        this.#isWelcome = false;
      },
    });
    const expiresAt = Math.floor(deployment.clock.now) + 3_600_000;
    const ticket = {
      user,
      name: user.slice(-20),
      role: "player",
      guest: true,
      expiresAt,
      tab: user,
    } as const;
    this.#link.open({ ...ticket, from: addressOf(user) }, deployment.freshId());
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
    if (message.t === "nack" && message.code === "muted" && this.#isKnown)
      this.deployment.reportBreach(19, `${this.#link.user} was there before, and is muted`);
    if (message.t !== "bye") return;
    if (message.code === closeCodes.tooMuch && this.#isKnown)
      this.deployment.reportBreach(19, `${this.#link.user} was there before, and is closed`);
    this.leave();
  }

  /** Whether no penalty of the house may affect this guest, who was a member before each. */
  get #isKnown(): boolean {
    const { penalties, cameWith } = this.house;
    const { user } = this.#link;
    const came = cameWith.get(user) ?? Number.POSITIVE_INFINITY;
    return penalties.every((penalty) => penalty.user !== user && came < penalty.record);
  }
}

function houseOf(user: string): string {
  return /^guest-(.*)\./.exec(user)?.[1] ?? "";
}

/** One of the addresses of a house's network, named in the user id. */
function addressOf(user: string): string {
  return `${houseOf(user)}.${/\.(\w+)-/.exec(user)?.[1]}`;
}

/** The penalties of before the guest was first a member. */
function penaltiesFor({ penalties, cameWith, life: ours }: House, user: string, life: EpochHistory) {
  const came = cameWith.get(user) ?? 0;
  return ours === life ? penalties.filter(({ isLifted, record }) => !isLifted && came > record) : [];
}

function endOf(penalty: Penalty, user: string): number {
  const isHere = addressOf(penalty.user) === addressOf(user);
  return isHere ? penalty.untilMs : Math.min(penalty.untilMs, penalty.at + NETWORK_MS);
}

/** Penalties at two addresses of a network close it; one closes its own address. */
function closedUntil(house: House, user: string, life: EpochHistory, at: number): number {
  const all = penaltiesFor(house, user, life).filter((penalty) => endOf(penalty, user) - SLACK_MS > at);
  const isMoving = new Set(all.map((penalty) => addressOf(penalty.user))).size > 1;
  const closing = all.filter((penalty) => isMoving || addressOf(penalty.user) === addressOf(user));
  return Math.max(
    0,
    ...closing.map(({ what, at: since, untilMs }) => {
      if (what === "muted") return 0;
      return what === "banned" ? Math.min(untilMs, since + CLOSED_MS) : untilMs;
    }),
  );
}

function mutedUntil(house: House, user: string, life: EpochHistory): number {
  return Math.max(0, ...penaltiesFor(house, user, life).map((penalty) => endOf(penalty, user)));
}
