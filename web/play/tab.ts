import { tabStorage } from "./memory";

/** How long another tab has to say that an id is its own. It answers within a few milliseconds, also in the background. */
const ANSWER_TIMEOUT_MS = 150;

type TabMessage = { ask: string; from: string } | { mine: string; to: string };

/**
 * An id for this tab, the same over its reloads: the room makes the guest's identity from it. A duplicated tab starts
 * with a copy of its original's storage; it asks around first, and takes an id of its own rather than fight for one.
 */
export async function claimTab(): Promise<string> {
  const storedId = tabStorage.get("tab");
  const ownId = freshId();
  const id =
    storedId !== undefined && storedId.length >= 20 && !(await isTaken(storedId, ownId))
      ? storedId
      : freshId();
  tabStorage.set("tab", id);
  new BroadcastChannel("tallyroom.tab").onmessage = ({ data, currentTarget }: MessageEvent<TabMessage>) => {
    if (!("ask" in data) || data.ask !== id || !(currentTarget instanceof BroadcastChannel)) return;
    currentTarget.postMessage({ mine: id, to: data.from } satisfies TabMessage);
  };
  return id;
}

function isTaken(id: string, ownId: string): Promise<boolean> {
  return new Promise((resolve) => {
    const channel = new BroadcastChannel("tallyroom.tab");
    const finish = (taken: boolean) => {
      channel.close();
      resolve(taken);
    };
    channel.onmessage = ({ data }: MessageEvent<TabMessage>) => {
      if ("mine" in data && data.mine === id && data.to === ownId) finish(true);
    };
    channel.postMessage({ ask: id, from: ownId } satisfies TabMessage);
    setTimeout(finish, ANSWER_TIMEOUT_MS, false);
  });
}

/** 128 random bits. Not `crypto.randomUUID`, which a page opened over plain HTTP in a local network does not have. */
export function freshId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
}
