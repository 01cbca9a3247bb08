/** Storage that a browser may forbid: then a page remembers as long as it lives. */
class PageStorage {
  private readonly values = new Map<string, string>();

  constructor(private readonly store: () => Storage) {}

  get(key: string): string | undefined {
    try {
      return this.store().getItem(`tallyroom.${key}`) ?? undefined;
    } catch {
      return this.values.get(key);
    }
  }

  set(key: string, value: string): void {
    this.values.set(key, value);
    try {
      this.store().setItem(`tallyroom.${key}`, value);
    } catch {
      // Kept above.
    }
  }

  remove(key: string): void {
    this.values.delete(key);
    try {
      this.store().removeItem(`tallyroom.${key}`);
    } catch {
      // Nothing was kept there.
    }
  }
}

/** For this browser: the name and the room of last time. */
export const browserStorage = new PageStorage(() => localStorage);
/** For this tab, over its reloads: its id, and whether it was in a room. */
export const tabStorage = new PageStorage(() => sessionStorage);

/** Where a tab remembers which guest it is: a duplicated tab has an id of its own, and is somebody else. */
export function openTabTokenStore(tab: string) {
  return {
    getItem: (key: string) => tabStorage.get(`${tab}.${key}`) ?? null,
    setItem: (key: string, value: string) => tabStorage.set(`${tab}.${key}`, value),
    removeItem: (key: string) => tabStorage.remove(`${tab}.${key}`),
  };
}
