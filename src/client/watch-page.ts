/** Calls `back` when waiting makes no sense any more (the network is here again, or somebody looks at the page), `gone` when the network is not. */
export function watchPage(back: () => void, gone: () => void): () => void {
  // Node has neither, and React Native only one of them.
  if (typeof addEventListener !== "function" || typeof document === "undefined") return () => {};
  const over = new AbortController();
  const { signal } = over;
  addEventListener("online", back, { signal });
  addEventListener("offline", gone, { signal });
  // A page that comes out of the browser's cache has lost its sockets without a word.
  addEventListener("pageshow", (event) => event.persisted && back(), { signal });
  document.addEventListener("visibilitychange", () => document.hidden || back(), { signal });
  return () => over.abort();
}
