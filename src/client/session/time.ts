/** A time that never comes, and a time that is always past. */
export const NEVER = Number.POSITIVE_INFINITY;
export const LONG_AGO = Number.NEGATIVE_INFINITY;
