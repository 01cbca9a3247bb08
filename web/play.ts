import { openJoinForm } from "./play/door";
import { browserStorage, tabStorage } from "./play/memory";
import { parseRoomLink, toRoomLink } from "./play/place";
import { openRoomView } from "./play/room-view";
import { claimTab } from "./play/tab";
import { followKeyboard } from "./play/visible-height";
import { openVisit, type Visit } from "./play/visit";

const tab = claimTab();
let current: { room: string; visit?: Visit } | undefined;

const joinForm = openJoinForm((name, room) => {
  browserStorage.set("name", name);
  browserStorage.set("room", room);
  if (location.hash === "" || parseRoomLink(currentUrl()) !== room)
    history.pushState(null, "", toRoomLink(room, currentUrl()));
  void enterRoom(name, room);
});
const roomView = openRoomView({
  visit: () => current?.visit,
  leave() {
    history.pushState(null, "", location.pathname);
    followAddress();
  },
});

/** The address is where one is: going back leaves the room, another room's link leads there. */
function followAddress(): void {
  const room = parseRoomLink(currentUrl());
  if (room !== undefined && room === current?.room) return;
  leaveRoom();
  const name = browserStorage.get("name");
  // Only the room that this tab was in before a reload is entered unasked; anybody's link shows the door first.
  if (room !== undefined && name !== undefined && tabStorage.get("in") === room)
    return void enterRoom(name, room);
  tabStorage.remove("in");
  joinForm.show({ name, room: room ?? browserStorage.get("room") ?? "hall", invited: room !== undefined });
}

async function enterRoom(name: string, room: string): Promise<void> {
  leaveRoom();
  const entered: typeof current = { room };
  current = entered;
  tabStorage.set("in", room);
  joinForm.hide();
  roomView.enter(room, toRoomLink(room, currentUrl()));
  const id = await tab;
  if (current === entered) entered.visit = openVisit(room, name, id, roomView.show);
}

function leaveRoom(): void {
  current?.visit?.leave();
  current = undefined;
  roomView.hide();
}

function currentUrl(): URL {
  return new URL(location.href);
}

addEventListener("popstate", followAddress);
addEventListener("hashchange", followAddress);
followKeyboard();
followAddress();
