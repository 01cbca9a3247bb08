/** Polls until the condition holds, for changes that no message reports. */
export async function eventually<T>(
  read: () => Promise<T | undefined | false> | T | undefined | false,
  what: string,
  ms = 10_000,
): Promise<T> {
  const until = Date.now() + ms;
  for (;;) {
    const found = await read();
    if (found !== undefined && found !== false) {
      return found;
    }
    if (Date.now() > until) {
      throw new Error(`not so within ${ms} ms: ${what}`);
    }
    await pause(50);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
