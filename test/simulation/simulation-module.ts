import type { FrameRecord } from "../../src/room/storage/record";
import type { Random } from "../platforms/random";
import type { Deployment } from "./deployment";
import type { EpochHistory } from "./durable-history";
import type { RoomObject } from "./room-object";

export interface Move {
  /** Relative to the other moves. */
  weight: number;
  /** Makes the move; does nothing if it has no target. */
  run(deployment: Deployment, random: Random): void | Promise<void>;
}

/** One part of the simulation: the moves of a feature, an object or a port, and its checks. */
export interface SimulationModule {
  name: string;
  moves: Readonly<Record<string, Move>>;
  /** A record has become durable. */
  onRecord?(deployment: Deployment, object: RoomObject, life: EpochHistory, record: FrameRecord): void;
  /** A room's head has become durable. */
  onHead?(deployment: Deployment, object: RoomObject): void;
  /** The process that may write has done something. */
  onTurn?(deployment: Deployment, object: RoomObject): void;
  /** An alarm's handler has ended. */
  onAlarm?(deployment: Deployment, object: RoomObject): void;
  /** All that was written is durable. */
  onStored?(deployment: Deployment, object: RoomObject): void;
  /** Faults have stopped, and there was time for everything. */
  checkSettled?(deployment: Deployment): void | Promise<void>;
  /** All users have left, and there was time for that too. */
  checkEnded?(deployment: Deployment): void | Promise<void>;
}
