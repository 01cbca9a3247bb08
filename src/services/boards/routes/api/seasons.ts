import { z } from "zod";
import { declaredBoard, noQuery, season, time } from "../../../../edge/http/fields";
import type { Operation } from "../../../../edge/http/operation";
import { seasonSchema } from "./boards";

export const seasonsParams = z.strictObject({ board: declaredBoard });
export const seasonParams = z.strictObject({ board: declaredBoard, season });
export const seasonBody = z.strictObject({
  opensAt: time.describe("A whole quarter of an hour that is still to come, in ms"),
  closesAt: time.describe("The first moment that is no longer in it; a whole quarter of an hour"),
});

export const seasonsResponse = z.strictObject({ board: z.string(), seasons: z.array(seasonSchema) });
export const endedSeasonResponse = z.union([
  seasonSchema,
  z.strictObject({ season, removed: z.literal(true) }),
]);

const LATE_POINTS = "Points that come late count by their time, whichever season is open when they come.";

export const seasonOperations: readonly Operation[] = [
  {
    id: "listSeasons",
    method: "get",
    path: "/v1/boards/{board}/seasons",
    tag: "Seasons",
    summary: "A board's seasons, in the order of time",
    who: "anyone",
    params: seasonsParams,
    query: noQuery,
    answers: { 200: { about: "Past, open and to come", schema: seasonsResponse } },
  },
  {
    id: "openSeason",
    method: "put",
    path: "/v1/boards/{board}/seasons/{season}",
    tag: "Seasons",
    summary: "Open a season, or move its edges",
    about: `An edge that has passed stands. A board has one season at once: 409 where another lies in that time. ${LATE_POINTS}`,
    who: "admin",
    params: seasonParams,
    query: noQuery,
    body: seasonBody,
    answers: { 200: { about: "The season as it stands", schema: seasonSchema } },
  },
  {
    id: "closeSeason",
    method: "delete",
    path: "/v1/boards/{board}/seasons/{season}",
    tag: "Seasons",
    summary: "Close a season early, or take it back",
    about: `An open one ends with this quarter of an hour and stays readable; one that has not opened is gone; one that is over is 409. ${LATE_POINTS}`,
    who: "admin",
    params: seasonParams,
    query: noQuery,
    answers: {
      200: { about: "The season as it ends, or that it was taken back", schema: endedSeasonResponse },
    },
  },
];
