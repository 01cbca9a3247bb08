/** A time that does not come, and one that was always over. */
export const NEVER = Number.POSITIVE_INFINITY;
export const LONG_AGO = Number.NEGATIVE_INFINITY;
