/** Calls `onBack` when the network is back or the page is shown again, and `onOffline` when the network is gone. */
export function watchPageLifecycle(onBack: () => void, onOffline: () => void): () => void {
  // Node has neither of the two, and React Native only one.
  if (typeof addEventListener !== "function" || typeof document === "undefined") return () => {};
  const stop = new AbortController();
  const { signal } = stop;
  addEventListener("online", onBack, { signal });
  addEventListener("offline", onOffline, { signal });
  // A page restored from the back/forward cache has lost its sockets without a close event.
  addEventListener("pageshow", (event) => event.persisted && onBack(), { signal });
  document.addEventListener("visibilitychange", () => document.hidden || onBack(), { signal });
  return () => stop.abort();
}
