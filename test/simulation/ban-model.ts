/** Who is banned of what, the plain way: the word that was given last holds, in whatever order words arrive. */
export class BanModel {
  readonly #words = new Map<string, { at: number; untilMs: number | undefined; isLifted: boolean }>();

  say(
    scope: string,
    user: string,
    word: { at: number; untilMs?: number | undefined; isLifted: boolean },
  ): void {
    const before = this.#words.get(`${scope}\0${user}`);
    if (before && before.at > word.at) return;
    this.#words.set(`${scope}\0${user}`, { untilMs: undefined, ...word });
  }

  holds(scope: string, user: string, now: number): boolean {
    const word = this.#words.get(`${scope}\0${user}`);
    return word !== undefined && !word.isLifted && (word.untilMs ?? Number.POSITIVE_INFINITY) > now;
  }

  /** In a room, for whatever reason. */
  isBanned(user: string, room: string, now: number): boolean {
    return this.holds("everywhere", user, now) || this.holds(room, user, now);
  }

  get all(): { scope: string; user: string }[] {
    return [...this.#words.keys()].map((key) => {
      const [scope = "", user = ""] = key.split("\0");
      return { scope, user };
    });
  }
}
