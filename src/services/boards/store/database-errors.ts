/** The receipt could not move from n−1 to n. */
export function isOutOfStep(error: unknown): boolean {
  return /NOT NULL constraint failed: receipts\.n\b/.test(String(error));
}

/**
 * A description of a permanent error in the content. `undefined` for errors that may pass (a time-out, overload), that an
 * operator can fix (a missing table), or that are ours (a wrong count): no entry is at fault there.
 */
export function describeContentProblem(error: unknown): string | undefined {
  const text = String(error);
  if (/scores_exact|scores_tie_exact|integer overflow/.test(text)) {
    return "The points would no longer be exact: past 2^53 − 1.";
  }
  if (/constraint failed: spans|spans_counted/.test(text)) return undefined;
  const match =
    /(?:[A-Z ]+ constraint failed: [^:]*|datatype mismatch|string or blob too big|malformed JSON)/.exec(text);
  return match ? `D1 refuses it: ${match[0].trim()}.` : undefined;
}
