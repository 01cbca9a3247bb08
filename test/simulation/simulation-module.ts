import type { FrameRecord } from "../../src/room/storage/record";
import type { Random } from "../platforms/random";
import type { Deployment } from "./deployment";
import type { EpochHistory } from "./durable-history";
import type { RoomObject } from "./room-object";

export interface Move {
  /** Against the others'. */
  weight: number;
  /** Does it, or nothing where there is nothing to do it to. */
  run(deployment: Deployment, random: Random): void | Promise<void>;
}

/** What joins the simulation: the moves of a feature, an object or a port, and what has to hold of it, in one file. */
export interface SimulationModule {
  name: string;
  moves: Readonly<Record<string, Move>>;
  /** A record has become durable. */
  onRecord?(deployment: Deployment, object: RoomObject, life: EpochHistory, record: FrameRecord): void;
  /** A room's head has become durable. */
  onHead?(deployment: Deployment, object: RoomObject): void;
  /** The process that may write has done something. */
  onTurn?(deployment: Deployment, object: RoomObject): void;
  /** An alarm was heard to its end. */
  onAlarm?(deployment: Deployment, object: RoomObject): void;
  /** All that was written is durable. */
  onStored?(deployment: Deployment, object: RoomObject): void;
  /** Faults have stopped, and there was time for everything. */
  checkSettled?(deployment: Deployment): void | Promise<void>;
  /** Everybody has gone, and there was time for that too. */
  checkEnded?(deployment: Deployment): void | Promise<void>;
}
