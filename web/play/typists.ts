/** A typing signal says "now", and now lasts this long: twice the pace at which a typist repeats it. */
const SHOWN_MS = 4_000;

/** Who is typing, as far as their signals tell. */
export class Typists {
  private readonly until = new Map<string, number>();

  heard(user: string, now: number): void {
    this.until.set(user, now + SHOWN_MS);
  }

  stopped(user: string): void {
    this.until.delete(user);
  }

  forget(now: number): void {
    for (const [user, until] of this.until) if (until <= now) this.until.delete(user);
  }

  at(now: number): string[] {
    return [...this.until].flatMap(([user, until]) => (until > now ? [user] : []));
  }

  nextAt(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...this.until.values());
  }
}
