/** Waits until `read` returns a value. Rejects if the visit ends first. */
export function waitFor<T>(
  room: { subscribe(listener: () => void): () => void },
  session: { readonly end: string | undefined },
  read: () => T | undefined,
): Promise<T> {
  const found = new Promise<T>((resolve, reject) => {
    const check = () => {
      const value = read();
      const { end } = session;
      if (value !== undefined) resolve(value);
      else if (end !== undefined) reject(new Error(end));
      else return;
      stop();
    };
    const stop = room.subscribe(check);
    check();
  });
  // A caller may ignore the promise; its rejection must not count as unhandled.
  found.catch(() => {});
  return found;
}
