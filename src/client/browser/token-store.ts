/** Stores a guest's token. `localStorage` and `sessionStorage` are such stores. */
export interface TokenStore {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** Lasts as long as the page or process. */
class MemoryTokenStore implements TokenStore {
  readonly #values = new Map<string, string>();

  getItem(key: string): string | null {
    return this.#values.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    this.#values.set(key, value);
  }
  removeItem(key: string): void {
    this.#values.delete(key);
  }
}

/** The browser's `localStorage`, or a store in memory where that is missing or forbidden. */
export function openTokenStore(): TokenStore {
  try {
    if (typeof localStorage !== "undefined") {
      localStorage.getItem("tallyroom");
      return localStorage;
    }
  } catch {
    // Storage is forbidden: each visit then has a new guest.
  }
  return new MemoryTokenStore();
}
