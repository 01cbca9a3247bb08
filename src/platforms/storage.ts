import type { Storage } from "../room/ports";

/** The part of the platforms' storage that a room uses; PartyKit's is of older types and the same shape. */
export interface ObjectStorage {
  get(key: string): Promise<unknown>;
  list(options: { prefix: string; startAfter?: string; limit?: number }): Promise<Map<string, unknown>>;
  put(key: string, value: unknown): Promise<void>;
  delete(keys: string[]): Promise<unknown>;
  deleteAll(): Promise<void>;
  getAlarm(): Promise<number | null>;
  setAlarm(at: number): Promise<void>;
  deleteAlarm(): Promise<void>;
  sync(): Promise<void>;
}

export function toRoomStorage(storage: ObjectStorage): Storage {
  return {
    get: (key) => storage.get(key),
    list: (options) => storage.list(options),
    put: (key, value) => storage.put(key, value),
    delete: (keys) => storage.delete(keys),
    deleteAll: () => storage.deleteAll(),
    getAlarm: () => storage.getAlarm(),
    // In whole milliseconds, or the runtime refuses it.
    setAlarm: (at) => storage.setAlarm(Math.ceil(at)),
    deleteAlarm: () => storage.deleteAlarm(),
    sync: () => storage.sync(),
  };
}
