/** How many of these times lie within one stretch of that length, wherever most of them do. */
export function maxInWindow(times: readonly number[], withinMs: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  let max = 0;
  let from = 0;
  for (const [to, time] of sorted.entries()) {
    while (time - (sorted[from] ?? time) >= withinMs) from++;
    max = Math.max(max, to - from + 1);
  }
  return max;
}
