import type { Storage } from "../room/ports";

/** The part of a platform's storage that a room uses. PartyKit's has older types and the same shape. */
export function toRoomStorage(storage: Storage): Storage {
  return {
    get: (key) => storage.get(key),
    list: (options) => storage.list(options),
    put: (key, value) => storage.put(key, value),
    delete: (keys) => storage.delete(keys),
    deleteAll: () => storage.deleteAll(),
    getAlarm: () => storage.getAlarm(),
    // The runtime rejects fractions of a millisecond.
    setAlarm: (at) => storage.setAlarm(Math.ceil(at)),
    deleteAlarm: () => storage.deleteAlarm(),
    sync: () => storage.sync(),
  };
}
