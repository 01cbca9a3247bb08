/** A typing signal says "now", and now lasts this long: twice the pace at which a typist repeats it. */
const SHOWN_MS = 4_000;

/** Who is typing, as far as their signals tell. */
export class Typists {
  private readonly shownUntil = new Map<string, number>();

  add(user: string, now: number): void {
    this.shownUntil.set(user, now + SHOWN_MS);
  }

  remove(user: string): void {
    this.shownUntil.delete(user);
  }

  prune(now: number): void {
    for (const [user, until] of this.shownUntil) if (until <= now) this.shownUntil.delete(user);
  }

  list(now: number): string[] {
    return [...this.shownUntil].flatMap(([user, until]) => (until > now ? [user] : []));
  }

  nextAt(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...this.shownUntil.values());
  }
}
