/** Calls `back` when waiting makes no sense any more (the network is here again, or somebody looks at the page), `gone` when the network is not. */
export function watchPageLifecycle(onBack: () => void, onOffline: () => void): () => void {
  // Node has neither, and React Native only one of them.
  if (typeof addEventListener !== "function" || typeof document === "undefined") return () => {};
  const stop = new AbortController();
  const { signal } = stop;
  addEventListener("online", onBack, { signal });
  addEventListener("offline", onOffline, { signal });
  // A page that comes out of the browser's cache has lost its sockets without a word.
  addEventListener("pageshow", (event) => event.persisted && onBack(), { signal });
  document.addEventListener("visibilitychange", () => document.hidden || onBack(), { signal });
  return () => stop.abort();
}
