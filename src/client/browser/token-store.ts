/** Where a guest's token is kept: what `localStorage` and `sessionStorage` have. */
export interface TokenStore {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** As long as this program lives. */
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

/** The browser's, shared by its tabs; one of this session's own where there is none, or where it is forbidden. */
export function openTokenStore(): TokenStore {
  try {
    if (typeof localStorage !== "undefined") {
      localStorage.getItem("tallyroom");
      return localStorage;
    }
  } catch {
    // Storage may be forbidden: the guest is then somebody new at every visit.
  }
  return new MemoryTokenStore();
}
