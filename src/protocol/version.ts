/** A release speaks its version and the one before it; a client that names none speaks 1. */
export const protocolVersion = 1;
export const protocolVersions: readonly number[] = [1];
