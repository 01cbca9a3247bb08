/** Storage that a browser may forbid: then a page remembers as long as it lives. */
class Memory {
  private readonly kept = new Map<string, string>();

  constructor(private readonly store: () => Storage) {}

  get(key: string): string | undefined {
    try {
      return this.store().getItem(`tallyroom.${key}`) ?? undefined;
    } catch {
      return this.kept.get(key);
    }
  }

  set(key: string, value: string): void {
    this.kept.set(key, value);
    try {
      this.store().setItem(`tallyroom.${key}`, value);
    } catch {
      // Kept above.
    }
  }

  remove(key: string): void {
    this.kept.delete(key);
    try {
      this.store().removeItem(`tallyroom.${key}`);
    } catch {
      // Nothing was kept there.
    }
  }
}

/** For this browser: the name and the room of last time. */
export const browserMemory = new Memory(() => localStorage);
/** For this tab, over its reloads: its id, and whether it was in a room. */
export const tabMemory = new Memory(() => sessionStorage);

/** Where a tab remembers which guest it is: a duplicated tab has an id of its own, and is somebody else. */
export function guestOf(tab: string) {
  return {
    getItem: (key: string) => tabMemory.get(`${tab}.${key}`) ?? null,
    setItem: (key: string, value: string) => tabMemory.set(`${tab}.${key}`, value),
    removeItem: (key: string) => tabMemory.remove(`${tab}.${key}`),
  };
}
