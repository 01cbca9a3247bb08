import { part, write } from "./part";
import { readName, readRoom } from "./place";

export interface Door {
  show(known: { name: string | undefined; room: string; invited: boolean }): void;
  hide(): void;
}

/** Where one says who one is and where one is going. */
export function openDoor(join: (name: string, room: string) => void): Door {
  const page = part("join", HTMLElement);
  const name = part("name", HTMLInputElement);
  const room = part("room-name", HTMLInputElement);

  part("join-form", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    const readable = { name: readName(name.value), room: readRoom(room.value) };
    complain(
      room,
      "room-problem",
      readable.room ? "" : "Letters from a to z, digits, dots, dashes and underscores, 64 at most.",
    );
    complain(name, "name-problem", readable.name ? "" : "A name has 1 to 40 characters.");
    if (readable.name && readable.room) join(readable.name, readable.room);
    else (readable.name ? room : name).focus();
  });
  for (const field of [name, room])
    field.addEventListener("input", () => complain(field, `${field.name}-problem`, ""));

  return {
    show(known) {
      name.value = known.name ?? "";
      room.value = known.room;
      write(part("join-title", HTMLElement), known.invited ? `Join ${known.room}` : "Come on in");
      write(
        part("join-text", HTMLElement),
        known.invited
          ? "You have been invited to this room. Who shall the others see?"
          : "Choose a name and a room. Whoever has the room’s link can join you there.",
      );
      document.title = known.invited ? `Join ${known.room} · Tallyroom` : "Tallyroom";
      page.hidden = false;
      // A keyboard that springs open on a phone would hide what the page is about.
      if (matchMedia("(pointer: fine)").matches) (known.name ? room : name).focus();
      if (known.name) room.select();
    },
    hide() {
      page.hidden = true;
    },
  };
}

function complain(field: HTMLInputElement, problemId: string, problem: string): void {
  write(part(problemId, HTMLElement), problem);
  field.setAttribute("aria-invalid", String(problem !== ""));
}
