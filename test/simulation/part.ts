import type { FrameRecord } from "../../src/room/record";
import type { Random } from "../platforms/random";
import type { Deployment } from "./deployment";
import type { RoomObject } from "./room-object";
import type { Life } from "./truth";

export interface Move {
  /** Against the others'. */
  weight: number;
  /** Does it, or nothing where there is nothing to do it to. */
  go(deployment: Deployment, chance: Random): void | Promise<void>;
}

/** What joins the simulation: the moves of a feature, an object or a port, and what has to hold of it, in one file. */
export interface Part {
  name: string;
  moves: Readonly<Record<string, Move>>;
  /** A record has become durable. */
  recorded?(deployment: Deployment, object: RoomObject, life: Life, record: FrameRecord): void;
  /** A room's head has become durable. */
  pointed?(deployment: Deployment, object: RoomObject): void;
  /** The process that may write has done something. */
  turned?(deployment: Deployment, object: RoomObject): void;
  /** An alarm was heard to its end. */
  rang?(deployment: Deployment, object: RoomObject): void;
  /** All that was written is durable. */
  stored?(deployment: Deployment, object: RoomObject): void;
  /** Faults have stopped, and there was time for everything. */
  settled?(deployment: Deployment): void | Promise<void>;
  /** Everybody has gone, and there was time for that too. */
  ended?(deployment: Deployment): void | Promise<void>;
}
