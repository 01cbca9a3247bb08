// Written by `npm run openapi` from the worker's own document.


export interface paths {
  "/v1/boards": {
    /**
     * The boards that there are
     * @description Order, periods, seasons, and when each period ends.
     */
    get: operations["listBoards"];
  };
  "/v1/boards/{board}": {
    /**
     * The top of a board, page by page
     * @description A cursor goes on behind the last that was shown, whoever moved meanwhile. Told from a cache: `Age` says how old it is, `Cache-Status` how it came, `If-None-Match` gets 304 while it is the same.
     */
    get: operations["readBoard"];
  };
  "/v1/boards/{board}/live": {
    /**
     * The top of a board as it changes
     * @description Server-sent events: `board` tells the first hundred whole, `change` what became of them. `Last-Event-ID` goes on where a stream was cut.
     */
    get: operations["followBoard"];
  };
  "/v1/boards/{board}/users/{user}": {
    /**
     * A player's rank, and who stands around
     * @description 404 for whoever is not ranked. Told from a cache: `Age` says how old it is, `Cache-Status` how it came, `If-None-Match` gets 304 while it is the same.
     */
    get: operations["readPlayer"];
  };
  "/v1/boards/{board}/users": {
    /**
     * Several players' ranks at once
     * @description Whoever is not ranked is left out. Told from a cache: `Age` says how old it is, `Cache-Status` how it came, `If-None-Match` gets 304 while it is the same.
     */
    get: operations["readPlayers"];
  };
  "/v1/boards/{board}/seasons": {
    /** A board's seasons, in the order of time */
    get: operations["listSeasons"];
  };
  "/v1/boards/{board}/seasons/{season}": {
    /**
     * Open a season, or move its edges
     * @description An edge that has passed stands. A board has one season at once: 409 where another lies in that time. Points that come late count by their time, whichever season is open when they come.
     */
    put: operations["openSeason"];
    /**
     * Close a season early, or take it back
     * @description An open one ends with this quarter of an hour and stays readable; one that has not opened is gone; one that is over is 409. Points that come late count by their time, whichever season is open when they come.
     */
    delete: operations["closeSeason"];
  };
  "/v1/corrections": {
    /**
     * What was corrected, by whom and why
     * @description The newest first.
     */
    get: operations["listCorrections"];
    /**
     * Correct or remove a player's points
     * @description `set`, `add` or `remove`, on the rankings that are named, with a reason. What a room itself shows is the room's, and not changed. To add keeps what is awarded meanwhile; to set replaces it. 404 for somebody who never scored.
     */
    post: operations["correctPoints"];
  };
  "/v1/users/{user}": {
    /**
     * All that rests of a person
     * @description For an admin, and for everybody about themselves. 404 where nothing does.
     */
    get: operations["exportPerson"];
    /**
     * Erase a person
     * @description From every ranking, the log, what was set aside, and batches still on their way. Bans hold on, without their reason. Whoever plays on is new.
     */
    delete: operations["erasePerson"];
  };
  "/v1/users": {
    /**
     * All that rests of a person who is named by a parameter
     * @description As with the user in the address, which `.` and `..` cannot stand in.
     */
    get: operations["exportNamed"];
    /** Erase a person who is named by a parameter */
    delete: operations["eraseNamed"];
  };
  "/v1/bans": {
    /** Who is banned everywhere */
    get: operations["listBans"];
    /**
     * Ban somebody everywhere, named by a parameter
     * @description As with the user in the address, which `.` and `..` cannot stand in.
     */
    put: operations["banNamed"];
    /** Lift the ban of somebody who is named by a parameter */
    delete: operations["liftBanNamed"];
  };
  "/v1/bans/{user}": {
    /** Somebody's ban */
    get: operations["readBan"];
    /**
     * Ban somebody everywhere
     * @description Reaches every live connection within seconds. Again changes it.
     */
    put: operations["ban"];
    /** Lift a ban */
    delete: operations["liftBan"];
  };
  "/v1/aside": {
    /** Entries that the database would not take */
    get: operations["listAside"];
  };
  "/v1/aside/{number}": {
    /** One of them */
    get: operations["readAside"];
    /**
     * Write one of them, as it is or as it was mended
     * @description Once, however often it is asked: 409 after. 422 when it is refused again, with the reason.
     */
    post: operations["applyAside"];
  };
  "/parties/{kind}/{room}": {
    /**
     * Whether there is such a room, and how many are in it
     * @description 404 for a room that does not exist; it does not exist afterwards either. A host of that room and an admin, who bring their token, are also given its members, a thousand at a time.
     */
    get: operations["readRoom"];
    /**
     * Do an action in the room's name
     * @description For a host of that room, or an admin. The same `id` again gives the same answer.
     */
    post: operations["act"];
    /**
     * Close a room
     * @description Everybody is told 4410, and nothing of it stays.
     */
    delete: operations["closeRoom"];
  };
  "/parties/{kind}/{room}/drain": {
    /**
     * Drain a room before its process goes
     * @description What it owes goes off, everybody is told 1012 with a time of their own to come back, and nobody is let in until then. Again until `owes` is 0.
     */
    post: operations["drainRoom"];
  };
  "/auth/guest": {
    /** Come as a guest, or stay the same one */
    post: operations["openGuest"];
  };
  "/v1/batches": {
    /**
     * Points of a room
     * @description Applied once, in their turn. Signed: docs/protocol.md, S1.
     */
    post: operations["applyBatch"];
  };
  "/v1/errands/moderation/{what}": {
    /**
     * What rooms on PartyKit ask about bans
     * @description Signed: docs/protocol.md, S1 and R9.
     */
    post: operations["runErrand"];
  };
  "/health": {
    /** Whether the server can do its work */
    get: operations["readHealth"];
  };
  "/metrics": {
    /** Figures for Prometheus */
    get: operations["readMetrics"];
  };
  "/v1/openapi.json": {
    /** This document */
    get: operations["readDocument"];
  };
}

export type webhooks = Record<string, never>;

export interface components {
  schemas: {
    /** @description Why it was refused */
    Refusal: {
      /** @enum {string} */
      code: "bad_message" | "bad_action" | "bad_data" | "not_allowed" | "muted" | "rate_limited" | "too_large" | "full" | "draining" | "unknown_user" | "not_found" | "duplicate" | "conflict" | "unavailable" | "internal";
      /** @description A sentence that a person understands */
      message: string;
      /** @description When asking again may help; `Retry-After` says it in seconds */
      retryAfterMs?: number;
      info?: unknown;
    };
    /** @description A board as a kind declares it */
    Board: {
      board: string;
      kind: string;
      /**
       * @description What a player's games come to
       * @enum {string}
       */
      combine: "sum" | "best" | "last";
      /**
       * @description Which end is first
       * @enum {string}
       */
      order: "highest" | "lowest";
      /**
       * @description The second column's, where there is one
       * @enum {string}
       */
      tie?: "highest" | "lowest";
      /**
       * @description The kind's ranking, each room's own, or both
       * @enum {string}
       */
      feeds: "both" | "kind" | "room";
      /** @description Whose midnight ends a day */
      timeZone: string;
      periods: ({
          /** @enum {string} */
          period: "all" | "day" | "week" | "season";
          /** @description When the present one ends */
          nextReset?: number;
        })[];
      /** @description In the order of time, where the board has any */
      seasons?: components["schemas"]["Season"][];
    };
    /** @description A span that an admin opened */
    Season: {
      /** @description The season's name */
      season: string;
      /** @description Milliseconds since the epoch */
      opensAt: number;
      /** @description The first moment that is no longer in it */
      closesAt: number;
    };
    /** @description A player's place */
    Ranked: {
      rank: number;
      user: string;
      /** @description 1 to 40 characters */
      name: string;
      points: number;
    };
    /** @description A line of the log */
    Correction: {
      id: number;
      /** @description Milliseconds since the epoch */
      at: number;
      /** @description Empty where that person was erased; so is `user`, with the reason */
      by: string;
      board: string;
      period: string;
      user: string;
      /** @description null: was not ranked */
      before: number | null;
      /** @description null: is no longer ranked */
      after: number | null;
      reason: string;
    };
    /** @description All that rests of a person */
    Person: {
      user: string;
      /** @description Borne when they last scored */
      name?: string;
      /** @description Milliseconds since the epoch */
      erasedAt?: number;
      scores: {
          board: string;
          period: string;
          name: string;
          points: number;
          tie?: number;
          /** @description Milliseconds since the epoch */
          reachedAt: number;
        }[];
      bans: {
          scope: string;
          reason?: string;
          /** @description Milliseconds since the epoch */
          at: number;
          untilMs?: number;
        }[];
      aside: {
          room: string;
          /** @description Milliseconds since the epoch */
          at: number;
          reason: string;
          entry: unknown;
        }[];
      corrections: ({
          board: string;
          period: string;
          /** @description Milliseconds since the epoch */
          at: number;
          before: number | null;
          after: number | null;
          reason: string;
        })[];
      /** @description What they did themselves, without to whom */
      did: {
        bans: {
            scope: string;
            /** @description Milliseconds since the epoch */
            at: number;
          }[];
        corrections: {
            board: string;
            period: string;
            /** @description Milliseconds since the epoch */
            at: number;
          }[];
      };
    };
    BatchEntry: {
      board: string;
      user: string;
      name: string;
      points: number;
      tie?: number;
      firstAt: number;
      lastAt: number;
      seq: number;
    };
  };
  responses: never;
  parameters: never;
  requestBodies: never;
  headers: never;
  pathItems: never;
}

export type $defs = Record<string, never>;

export type external = Record<string, never>;

export interface operations {

  /**
   * The boards that there are
   * @description Order, periods, seasons, and when each period ends.
   */
  listBoards: {
    responses: {
      /** @description Every board that a kind declares */
      200: {
        content: {
          "application/json": {
            boards: components["schemas"]["Board"][];
          };
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is none */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Too much from this address */
      429: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /**
   * The top of a board, page by page
   * @description A cursor goes on behind the last that was shown, whoever moved meanwhile. Told from a cache: `Age` says how old it is, `Cache-Status` how it came, `If-None-Match` gets 304 while it is the same.
   */
  readBoard: {
    parameters: {
      query?: {
        /** @description `all`, `day`, `week`, `season` (the present ones), `day:2026-11-20`, `week:2026-11-16`, `season:<name>` */
        period?: string;
        /** @description How many */
        limit?: number;
        /** @description From the page before */
        cursor?: string;
      };
      path: {
        /** @description A kind's board (`main`) or a room's own (`main:hall`) */
        board: string;
      };
    };
    responses: {
      /** @description A page */
      200: {
        content: {
          "application/json": {
            board: string;
            /** @description As it is stored: `day:2026-11-20` */
            period: string;
            /** @description Raised by every change */
            version: number;
            updatedAt: number | null;
            entries: components["schemas"]["Ranked"][];
            /** @description Absent on the last page */
            cursor?: string;
          };
        };
      };
      /** @description It is what you have */
      304: {
        content: never;
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is none */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Too much from this address */
      429: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /**
   * The top of a board as it changes
   * @description Server-sent events: `board` tells the first hundred whole, `change` what became of them. `Last-Event-ID` goes on where a stream was cut.
   */
  followBoard: {
    parameters: {
      query?: {
        /** @description `all`, `day`, `week`, `season` (the present ones), `day:2026-11-20`, `week:2026-11-16`, `season:<name>` */
        period?: string;
      };
      path: {
        /** @description A kind's board (`main`) or a room's own (`main:hall`) */
        board: string;
      };
    };
    responses: {
      /** @description A stream */
      200: {
        content: {
          "text/event-stream": string;
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is none */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Too much from this address */
      429: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /**
   * A player's rank, and who stands around
   * @description 404 for whoever is not ranked. Told from a cache: `Age` says how old it is, `Cache-Status` how it came, `If-None-Match` gets 304 while it is the same.
   */
  readPlayer: {
    parameters: {
      query?: {
        /** @description `all`, `day`, `week`, `season` (the present ones), `day:2026-11-20`, `week:2026-11-16`, `season:<name>` */
        period?: string;
        /** @description How many on each side */
        around?: number;
      };
      path: {
        /** @description A kind's board (`main`) or a room's own (`main:hall`) */
        board: string;
        /** @description A user id; percent-encoded in an address */
        user: string;
      };
    };
    responses: {
      /** @description Their place */
      200: {
        content: {
          "application/json": {
            board: string;
            /** @description As it is stored: `day:2026-11-20` */
            period: string;
            user: string;
            rank: number;
            of: number;
            points: number;
            around: components["schemas"]["Ranked"][];
          };
        };
      };
      /** @description It is what you have */
      304: {
        content: never;
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is none */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Too much from this address */
      429: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /**
   * Several players' ranks at once
   * @description Whoever is not ranked is left out. Told from a cache: `Age` says how old it is, `Cache-Status` how it came, `If-None-Match` gets 304 while it is the same.
   */
  readPlayers: {
    parameters: {
      query?: {
        /** @description `all`, `day`, `week`, `season` (the present ones), `day:2026-11-20`, `week:2026-11-16`, `season:<name>` */
        period?: string;
        /** @description 1 to 20 user ids with commas between */
        ids?: string;
        /** @description The same as a JSON array: ids may hold commas. One of the two is given */
        list?: string;
      };
      path: {
        /** @description A kind's board (`main`) or a room's own (`main:hall`) */
        board: string;
      };
    };
    responses: {
      /** @description Their places */
      200: {
        content: {
          "application/json": {
            board: string;
            /** @description As it is stored: `day:2026-11-20` */
            period: string;
            users: {
                user: string;
                /** @description 1 to 40 characters */
                name: string;
                rank: number;
                of: number;
                points: number;
              }[];
          };
        };
      };
      /** @description It is what you have */
      304: {
        content: never;
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is none */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Too much from this address */
      429: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /** A board's seasons, in the order of time */
  listSeasons: {
    parameters: {
      path: {
        /** @description A board as a kind declares it */
        board: string;
      };
    };
    responses: {
      /** @description Past, open and to come */
      200: {
        content: {
          "application/json": {
            board: string;
            seasons: components["schemas"]["Season"][];
          };
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is none */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Too much from this address */
      429: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /**
   * Open a season, or move its edges
   * @description An edge that has passed stands. A board has one season at once: 409 where another lies in that time. Points that come late count by their time, whichever season is open when they come.
   */
  openSeason: {
    parameters: {
      path: {
        /** @description A board as a kind declares it */
        board: string;
        /** @description The season's name */
        season: string;
      };
    };
    requestBody: {
      content: {
        "application/json": {
          /** @description A whole quarter of an hour that is still to come, in ms */
          opensAt: number;
          /** @description The first moment that is no longer in it; a whole quarter of an hour */
          closesAt: number;
        };
      };
    };
    responses: {
      /** @description The season as it stands */
      200: {
        content: {
          "application/json": components["schemas"]["Season"];
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description No token, or a bad one */
      401: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Not an admin */
      403: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is none */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /**
   * Close a season early, or take it back
   * @description An open one ends with this quarter of an hour and stays readable; one that has not opened is gone; one that is over is 409. Points that come late count by their time, whichever season is open when they come.
   */
  closeSeason: {
    parameters: {
      path: {
        /** @description A board as a kind declares it */
        board: string;
        /** @description The season's name */
        season: string;
      };
    };
    responses: {
      /** @description The season as it ends, or that it was taken back */
      200: {
        content: {
          "application/json": components["schemas"]["Season"] | {
            /** @description The season's name */
            season: string;
            /** @constant */
            removed: true;
          };
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description No token, or a bad one */
      401: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Not an admin */
      403: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is none */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /**
   * What was corrected, by whom and why
   * @description The newest first.
   */
  listCorrections: {
    parameters: {
      query?: {
        /** @description A user id; percent-encoded in an address */
        user?: string;
        /** @description A kind's board (`main`) or a room's own (`main:hall`) */
        board?: string;
        /** @description How many */
        limit?: number;
        /** @description From the page before */
        cursor?: string;
      };
    };
    responses: {
      /** @description A page of the log */
      200: {
        content: {
          "application/json": {
            corrections: components["schemas"]["Correction"][];
            cursor?: string;
          };
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description No token, or a bad one */
      401: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Not an admin */
      403: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is none */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /**
   * Correct or remove a player's points
   * @description `set`, `add` or `remove`, on the rankings that are named, with a reason. What a room itself shows is the room's, and not changed. To add keeps what is awarded meanwhile; to set replaces it. 404 for somebody who never scored.
   */
  correctPoints: {
    requestBody: {
      content: {
        "application/json": {
          /** @description The caller's own: the same request sent again under it is made once, and answered the same */
          id?: string;
          /** @description A kind's board (`main`) or a room's own (`main:hall`) */
          board: string;
          /** @description A user id; percent-encoded in an address */
          user: string;
          /** @description With `remove` it may be absent: every period in which the player stands */
          periods?: string[];
          /** @description Kept in the log */
          reason: string;
          /** @description The points that the player is to have */
          set?: number;
          /** @description With `set`: the second column, which is else left as it is */
          tie?: number;
          /** @description More, or less than 0 */
          add?: number;
          /**
           * @description Off the ranking
           * @constant
           */
          remove?: true;
        };
      };
    };
    responses: {
      /** @description What was changed, a line a ranking; none where nothing was */
      200: {
        content: {
          "application/json": {
            corrections: components["schemas"]["Correction"][];
          };
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description No token, or a bad one */
      401: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Not an admin */
      403: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is none */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /**
   * All that rests of a person
   * @description For an admin, and for everybody about themselves. 404 where nothing does.
   */
  exportPerson: {
    parameters: {
      path: {
        /** @description A user id; percent-encoded in an address */
        user: string;
      };
    };
    responses: {
      /** @description Scores, bans, corrections, what was set aside */
      200: {
        content: {
          "application/json": components["schemas"]["Person"];
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description No token, or a bad one */
      401: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Somebody else's */
      403: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is nothing */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /**
   * Erase a person
   * @description From every ranking, the log, what was set aside, and batches still on their way. Bans hold on, without their reason. Whoever plays on is new.
   */
  erasePerson: {
    parameters: {
      path: {
        /** @description A user id; percent-encoded in an address */
        user: string;
      };
    };
    responses: {
      /** @description What was erased */
      200: {
        content: {
          "application/json": {
            /** @constant */
            erased: true;
            /** @description Rankings that they are no longer on */
            rankings: number;
            /** @description Entries set aside that are no longer kept */
            aside: number;
            /** @description Bans that hold on */
            bans: number;
          };
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description No token, or a bad one */
      401: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Not an admin */
      403: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is none */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /**
   * All that rests of a person who is named by a parameter
   * @description As with the user in the address, which `.` and `..` cannot stand in.
   */
  exportNamed: {
    parameters: {
      query: {
        /** @description A user id; percent-encoded in an address */
        user: string;
      };
    };
    responses: {
      /** @description Scores, bans, corrections, what was set aside */
      200: {
        content: {
          "application/json": components["schemas"]["Person"];
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description No token, or a bad one */
      401: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Somebody else's */
      403: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is nothing */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /** Erase a person who is named by a parameter */
  eraseNamed: {
    parameters: {
      query: {
        /** @description A user id; percent-encoded in an address */
        user: string;
      };
    };
    responses: {
      /** @description What was erased */
      200: {
        content: {
          "application/json": {
            /** @constant */
            erased: true;
            /** @description Rankings that they are no longer on */
            rankings: number;
            /** @description Entries set aside that are no longer kept */
            aside: number;
            /** @description Bans that hold on */
            bans: number;
          };
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description No token, or a bad one */
      401: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Not an admin */
      403: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is none */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /** Who is banned everywhere */
  listBans: {
    parameters: {
      query?: {
        /** @description How many */
        limit?: number;
        /** @description From the page before */
        cursor?: string;
        /** @description Only this user's */
        user?: string;
      };
    };
    responses: {
      /** @description A page, by user id */
      200: {
        content: {
          "application/json": {
            bans: {
                user: string;
                reason?: string;
                by: string;
                /** @description Milliseconds since the epoch */
                at: number;
                untilMs?: number;
              }[];
            cursor?: string;
          };
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description No token, or a bad one */
      401: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Not an admin */
      403: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is none */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /**
   * Ban somebody everywhere, named by a parameter
   * @description As with the user in the address, which `.` and `..` cannot stand in.
   */
  banNamed: {
    parameters: {
      query: {
        /** @description A user id; percent-encoded in an address */
        user: string;
      };
    };
    requestBody: {
      content: {
        "application/json": {
          reason?: string;
          /** @description Absent: until it is lifted */
          untilMs?: number;
        };
      };
    };
    responses: {
      /** @description The ban as it stands */
      200: {
        content: {
          "application/json": {
            user: string;
            reason?: string;
            by: string;
            /** @description Milliseconds since the epoch */
            at: number;
            untilMs?: number;
          };
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description No token, or a bad one */
      401: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Not an admin */
      403: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is none */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /** Lift the ban of somebody who is named by a parameter */
  liftBanNamed: {
    parameters: {
      query: {
        /** @description A user id; percent-encoded in an address */
        user: string;
      };
    };
    responses: {
      /** @description It is lifted */
      200: {
        content: {
          "application/json": {
            /** @constant */
            lifted: true;
          };
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description No token, or a bad one */
      401: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Not an admin */
      403: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is none */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /** Somebody's ban */
  readBan: {
    parameters: {
      path: {
        /** @description A user id; percent-encoded in an address */
        user: string;
      };
    };
    responses: {
      /** @description The ban */
      200: {
        content: {
          "application/json": {
            user: string;
            reason?: string;
            by: string;
            /** @description Milliseconds since the epoch */
            at: number;
            untilMs?: number;
          };
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description No token, or a bad one */
      401: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Not an admin */
      403: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is none */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /**
   * Ban somebody everywhere
   * @description Reaches every live connection within seconds. Again changes it.
   */
  ban: {
    parameters: {
      path: {
        /** @description A user id; percent-encoded in an address */
        user: string;
      };
    };
    requestBody: {
      content: {
        "application/json": {
          reason?: string;
          /** @description Absent: until it is lifted */
          untilMs?: number;
        };
      };
    };
    responses: {
      /** @description The ban as it stands */
      200: {
        content: {
          "application/json": {
            user: string;
            reason?: string;
            by: string;
            /** @description Milliseconds since the epoch */
            at: number;
            untilMs?: number;
          };
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description No token, or a bad one */
      401: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Not an admin */
      403: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is none */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /** Lift a ban */
  liftBan: {
    parameters: {
      path: {
        /** @description A user id; percent-encoded in an address */
        user: string;
      };
    };
    responses: {
      /** @description It is lifted */
      200: {
        content: {
          "application/json": {
            /** @constant */
            lifted: true;
          };
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description No token, or a bad one */
      401: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Not an admin */
      403: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is none */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /** Entries that the database would not take */
  listAside: {
    parameters: {
      query?: {
        /** @description From the page before */
        cursor?: string;
        /** @description 1: with those that were applied */
        applied?: "0" | "1";
      };
    };
    responses: {
      /** @description A page, the oldest first */
      200: {
        content: {
          "application/json": {
            entries: {
                id: number;
                room: string;
                epoch: string;
                n: number;
                reason: string;
                /** @description Milliseconds since the epoch */
                at: number;
                /** @description Milliseconds since the epoch */
                appliedAt?: number;
                entry: unknown;
              }[];
            cursor?: string;
          };
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description No token, or a bad one */
      401: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Not an admin */
      403: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is none */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /** One of them */
  readAside: {
    parameters: {
      path: {
        /** @description Its number */
        number: string;
      };
    };
    responses: {
      /** @description The entry */
      200: {
        content: {
          "application/json": {
            id: number;
            room: string;
            epoch: string;
            n: number;
            reason: string;
            /** @description Milliseconds since the epoch */
            at: number;
            /** @description Milliseconds since the epoch */
            appliedAt?: number;
            entry: unknown;
          };
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description No token, or a bad one */
      401: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Not an admin */
      403: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is none */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /**
   * Write one of them, as it is or as it was mended
   * @description Once, however often it is asked: 409 after. 422 when it is refused again, with the reason.
   */
  applyAside: {
    parameters: {
      path: {
        /** @description Its number */
        number: string;
      };
    };
    requestBody: {
      content: {
        "application/json": {
          /** @description As it was mended; absent: as it is kept */
          entry?: unknown;
        };
      };
    };
    responses: {
      /** @description The entry, applied */
      200: {
        content: {
          "application/json": {
            id: number;
            room: string;
            epoch: string;
            n: number;
            reason: string;
            /** @description Milliseconds since the epoch */
            at: number;
            /** @description Milliseconds since the epoch */
            appliedAt?: number;
            entry: unknown;
          };
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description No token, or a bad one */
      401: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Not an admin */
      403: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is none */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /**
   * Whether there is such a room, and how many are in it
   * @description 404 for a room that does not exist; it does not exist afterwards either. A host of that room and an admin, who bring their token, are also given its members, a thousand at a time.
   */
  readRoom: {
    parameters: {
      query?: {
        /** @description Of those who lead the room: what the page before gave as `cursor` */
        cursor?: string;
      };
      path: {
        /** @description The kind of room: `main` */
        kind: string;
        /** @description The room's id */
        room: string;
      };
    };
    responses: {
      /** @description The room */
      200: {
        content: {
          "application/json": {
            kind: string;
            id: string;
            /** @description The room's life */
            epoch: string;
            /** @description The number of its newest event */
            seq: number;
            users: number;
            connections: number;
            /** @description Milliseconds since the epoch */
            createdAt: number;
            /** @description The boards that its points reach: `main`, `main:hall` */
            feeds: string[];
            /** @description In the order in which they came; for those who lead the room */
            members?: ({
                user: string;
                /** @description 1 to 40 characters */
                name: string;
                /** @enum {string} */
                role: "player" | "host" | "admin";
                /** @constant */
                guest?: true;
                /** @description When they came */
                since: number;
                /** @description Open sockets; 0 while they may still come back */
                connections: number;
              })[];
            /** @description For the next page */
            cursor?: string;
          };
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is none */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Too much from this address */
      429: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /**
   * Do an action in the room's name
   * @description For a host of that room, or an admin. The same `id` again gives the same answer.
   */
  act: {
    parameters: {
      path: {
        /** @description The kind of room: `main` */
        kind: string;
        /** @description The room's id */
        room: string;
      };
    };
    requestBody: {
      content: {
        "application/json": {
          id: string;
          f: string;
          a: string;
          /** @default {} */
          d?: unknown;
        };
      };
    };
    responses: {
      /** @description Done: the number of its event, or what it answers */
      200: {
        content: {
          "application/json": {
            seq: number;
            d?: unknown;
          } | {
            d?: unknown;
          };
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description No token, or a bad one */
      401: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Not a host of this room */
      403: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is none */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /**
   * Close a room
   * @description Everybody is told 4410, and nothing of it stays.
   */
  closeRoom: {
    parameters: {
      path: {
        /** @description The kind of room: `main` */
        kind: string;
        /** @description The room's id */
        room: string;
      };
    };
    responses: {
      /** @description It is closed */
      200: {
        content: {
          "application/json": {
            /** @constant */
            closed: true;
          };
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description No token, or a bad one */
      401: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Not a host of this room */
      403: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is none */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /**
   * Drain a room before its process goes
   * @description What it owes goes off, everybody is told 1012 with a time of their own to come back, and nobody is let in until then. Again until `owes` is 0.
   */
  drainRoom: {
    parameters: {
      path: {
        /** @description The kind of room: `main` */
        kind: string;
        /** @description The room's id */
        room: string;
      };
    };
    responses: {
      /** @description It is drained */
      200: {
        content: {
          "application/json": {
            /** @description Who was sent away */
            connections: number;
            /** @description What is still under way to the outside */
            owes: number;
            /** @description When it takes people again */
            retryAfterMs: number;
          };
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description No token, or a bad one */
      401: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Not an admin */
      403: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is none */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /** Come as a guest, or stay the same one */
  openGuest: {
    requestBody: {
      content: {
        "application/json": {
          /** @description How they are shown; one is made up if absent */
          name?: string;
          /** @description A guest's old token: renews that guest */
          token?: string;
        };
      };
    };
    responses: {
      /** @description The guest */
      200: {
        content: {
          "application/json": {
            token: string;
            user: string;
            /** @description 1 to 40 characters */
            name: string;
            /** @description Milliseconds since the epoch */
            expiresAt: number;
          };
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Guests are off */
      403: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Too much from this address */
      429: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /**
   * Points of a room
   * @description Applied once, in their turn. Signed: docs/protocol.md, S1.
   */
  applyBatch: {
    requestBody: {
      content: {
        "application/json": {
          /** @constant */
          v: 1;
          room: string;
          epoch: string;
          n: number;
          /** @constant */
          ownOnly?: true;
          /** @constant */
          closing?: true;
          /** @description Each a BatchEntry; what is none is set aside by itself */
          entries: unknown[];
        };
      };
    };
    responses: {
      /** @description Applied, or applied before */
      200: {
        content: {
          "application/json": {
            /** @constant */
            applied: true;
            refused: string[];
          } | {
            /** @constant */
            applied: false;
            /** @constant */
            reason: "duplicate";
            refused: string[];
          } | {
            /** @constant */
            applied: false;
            /** @constant */
            reason: "gap";
            expected: number;
          };
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Not signed, or not rightly */
      401: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Another number is expected */
      409: {
        content: {
          "application/json": {
            /** @constant */
            reason: "gap";
            expected: number;
            [key: string]: unknown;
          };
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /**
   * What rooms on PartyKit ask about bans
   * @description Signed: docs/protocol.md, S1 and R9.
   */
  runErrand: {
    parameters: {
      path: {
        what: "ask" | "places" | "bans";
      };
    };
    requestBody: {
      content: {
        "application/json": {
          [key: string]: unknown;
        };
      };
    };
    responses: {
      /** @description The answer */
      200: {
        content: {
          "application/json": {
            [key: string]: unknown;
          };
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Not signed, or not rightly */
      401: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /** Whether the server can do its work */
  readHealth: {
    responses: {
      /** @description It can */
      200: {
        content: {
          "application/json": {
            ok: boolean;
            /** @description What is wrong, each a sentence */
            problems: string[];
            /** @description What can wait till morning */
            warnings: string[];
            [key: string]: unknown;
          };
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is none */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Too much from this address */
      429: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description It cannot, and why */
      503: {
        content: {
          "application/json": {
            ok: boolean;
            /** @description What is wrong, each a sentence */
            problems: string[];
            /** @description What can wait till morning */
            warnings: string[];
            [key: string]: unknown;
          };
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /** Figures for Prometheus */
  readMetrics: {
    responses: {
      /** @description Prometheus text */
      200: {
        content: {
          "text/plain": string;
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is none */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Too much from this address */
      429: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
  /** This document */
  readDocument: {
    responses: {
      /** @description OpenAPI 3.1 */
      200: {
        content: {
          "application/json": {
            openapi: string;
            [key: string]: unknown;
          };
        };
      };
      /** @description It makes no sense */
      400: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description There is none */
      404: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Too much from this address */
      429: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
      /** @description Anything else */
      default: {
        content: {
          "application/json": components["schemas"]["Refusal"];
        };
      };
    };
  };
}
