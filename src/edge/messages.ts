/** The reasons that sockets and HTTP requests are rejected with alike. */
export const GUESTS_ARE_OFF = "Guests are not let in here: a token is needed.";
export const TOKEN_NOT_FOR_ROOM = "This token is not good for this room.";
export const NO_SECRET = "This server has no AUTH_SECRET, so it cannot tell who is speaking.";
/** An operator has to set it and restart the server. */
export const NO_SECRET_RETRY_MS = 30_000;
export const INTERNAL = "Something went wrong here. It has been noted.";
/** An operator has to correct the configuration. */
export const MISCONFIGURED_RETRY_MS = 30_000;
