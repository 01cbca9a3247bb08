/** What people are told who cannot be let in, by socket and by HTTP alike. */
export const GUESTS_ARE_OFF = "Guests are not let in here: a token is needed.";
export const TOKEN_NOT_FOR_ROOM = "This token is not good for this room.";
export const NO_SECRET = "This server has no AUTH_SECRET, so it cannot tell who is speaking.";
/** Somebody has to set it and start the server again. */
export const NO_SECRET_RETRY_MS = 30_000;
