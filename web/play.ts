import { openDoor } from "./play/door";
import { browserMemory, tabMemory } from "./play/memory";
import { linkTo, roomInAddress } from "./play/place";
import { openRoomView } from "./play/room-view";
import { claimTab } from "./play/tab";
import { followKeyboard } from "./play/visible-height";
import { type Visit, visit } from "./play/visit";

const tab = claimTab();
let here: { room: string; visit?: Visit } | undefined;

const door = openDoor((name, room) => {
  browserMemory.set("name", name);
  browserMemory.set("room", room);
  if (location.hash === "" || roomInAddress(address()) !== room)
    history.pushState(null, "", linkTo(room, address()));
  void enter(name, room);
});
const roomView = openRoomView({
  visit: () => here?.visit,
  leave() {
    history.pushState(null, "", location.pathname);
    follow();
  },
});

/** The address is where one is: going back leaves the room, another room's link leads there. */
function follow(): void {
  const room = roomInAddress(address());
  if (room !== undefined && room === here?.room) return;
  leave();
  const name = browserMemory.get("name");
  // Only the room that this tab was in before a reload is entered unasked; anybody's link shows the door first.
  if (room !== undefined && name !== undefined && tabMemory.get("in") === room) return void enter(name, room);
  tabMemory.remove("in");
  door.show({ name, room: room ?? browserMemory.get("room") ?? "hall", invited: room !== undefined });
}

async function enter(name: string, room: string): Promise<void> {
  leave();
  const entered: typeof here = { room };
  here = entered;
  tabMemory.set("in", room);
  door.hide();
  roomView.enter(room, linkTo(room, address()));
  const id = await tab;
  if (here === entered) entered.visit = visit(room, name, id, roomView.show);
}

function leave(): void {
  here?.visit?.leave();
  here = undefined;
  roomView.hide();
}

function address(): URL {
  return new URL(location.href);
}

addEventListener("popstate", follow);
addEventListener("hashchange", follow);
followKeyboard();
follow();
