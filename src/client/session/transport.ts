/** Opens and closes sockets. Each socket has a number, its link, so that an event of an old socket is recognised as such. */
export interface Transport {
  /** `needsNewToken`: the token before has ended, is about to end, or was rejected. */
  open(link: number, needsNewToken: boolean): void;
  send(link: number, text: string): void;
  close(link: number): void;
}

/** Why a connection ended, and when to come back: from a `bye`, from a close, or from a failed request for a token. */
export interface CloseInfo {
  code: number;
  reason: string;
  retryAfterMs?: number | undefined;
}

/** What the connection manager needs to know of its session. */
export interface ConnectionPorts {
  /** Whether a new token can be requested at all. */
  canRenew: boolean;
  /** How many members the room has, if that is known. */
  members(): number | undefined;
  /** The second socket was closed before its welcome. */
  secondFailed(now: number): void;
}
