/** The work did not finish in time. It may still finish later, and its result is then ignored. */
export class TimeoutError extends Error {}

/**
 * Waits for the work for at most `ms`, then rejects with a `TimeoutError`. Work that is given as a function gets a signal,
 * which aborts at the deadline.
 */
export async function withDeadline<T>(
  work: Promise<T> | ((signal: AbortSignal) => Promise<T>),
  ms: number,
  what: string,
): Promise<T> {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | null = null;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new TimeoutError(`${what} within ${ms} ms.`));
      controller.abort();
    }, ms);
  });
  try {
    return await Promise.race([typeof work === "function" ? work(controller.signal) : work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
