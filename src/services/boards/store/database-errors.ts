/** The receipt would not have moved from n−1 to n. */
export function isOutOfStep(error: unknown): boolean {
  return /NOT NULL constraint failed: receipts\.n\b/.test(String(error));
}

/**
 * What D1 will say again however often it is asked; nothing for what may pass (a time-out, overload) or be mended (a table
 * that is missing), and for a count of ours that does not add up: none of that is the fault of an entry.
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
