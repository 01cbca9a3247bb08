/** A plain model of bans: the newest decision holds, in any order of arrival. */
export class BanModel {
  readonly #decisions = new Map<string, { at: number; untilMs: number | undefined; isLifted: boolean }>();

  record(
    scope: string,
    user: string,
    decision: { at: number; untilMs?: number | undefined; isLifted: boolean },
  ): void {
    const before = this.#decisions.get(`${scope}\0${user}`);
    if (before && before.at > decision.at) return;
    this.#decisions.set(`${scope}\0${user}`, { untilMs: undefined, ...decision });
  }

  isBannedFrom(scope: string, user: string, now: number): boolean {
    const decision = this.#decisions.get(`${scope}\0${user}`);
    return (
      decision !== undefined && !decision.isLifted && (decision.untilMs ?? Number.POSITIVE_INFINITY) > now
    );
  }

  /** In a room, by its own ban or one everywhere. */
  isBanned(user: string, room: string, now: number): boolean {
    return this.isBannedFrom("everywhere", user, now) || this.isBannedFrom(room, user, now);
  }

  get all(): { scope: string; user: string }[] {
    return [...this.#decisions.keys()].map((key) => {
      const [scope = "", user = ""] = key.split("\0");
      return { scope, user };
    });
  }
}
