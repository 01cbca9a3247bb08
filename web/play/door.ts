import { getElement, setText } from "./part";
import { parseRoomName, parseUserName } from "./place";

export interface JoinForm {
  show(known: { name: string | undefined; room: string; invited: boolean }): void;
  hide(): void;
}

/** Where one says who one is and where one is going. */
export function openJoinForm(join: (name: string, room: string) => void): JoinForm {
  const page = getElement("join", HTMLElement);
  const name = getElement("name", HTMLInputElement);
  const room = getElement("room-name", HTMLInputElement);

  getElement("join-form", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    const parsed = { name: parseUserName(name.value), room: parseRoomName(room.value) };
    showProblem(
      room,
      "room-problem",
      parsed.room ? "" : "Letters from a to z, digits, dots, dashes and underscores, 64 at most.",
    );
    showProblem(name, "name-problem", parsed.name ? "" : "A name has 1 to 40 characters.");
    if (parsed.name && parsed.room) join(parsed.name, parsed.room);
    else (parsed.name ? room : name).focus();
  });
  for (const field of [name, room])
    field.addEventListener("input", () => showProblem(field, `${field.name}-problem`, ""));

  return {
    show(known) {
      name.value = known.name ?? "";
      room.value = known.room;
      setText(getElement("join-title", HTMLElement), known.invited ? `Join ${known.room}` : "Come on in");
      setText(
        getElement("join-text", HTMLElement),
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

function showProblem(field: HTMLInputElement, problemId: string, problem: string): void {
  setText(getElement(problemId, HTMLElement), problem);
  field.setAttribute("aria-invalid", String(problem !== ""));
}
