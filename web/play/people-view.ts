import { toHue, toInitial } from "./hue";
import { createElement, getElement, type ListItem, reconcileList, setText } from "./part";
import { type Person, toPeople } from "./people";
import { drawTally } from "./tally";
import type { View } from "./view";

export interface PeopleView {
  show(view: View): void;
  clear(): void;
}

interface PersonView extends ListItem {
  draw(person: Person): void;
}

/** Who is here: beside the talk where there is space, behind a button and in a sheet of its own where there is not. */
export function openPeople(): PeopleView {
  const section = getElement("people", HTMLElement);
  const side = getElement("people-side", HTMLElement);
  const sheet = getElement("people-sheet", HTMLDialogElement);
  const button = getElement("people-button", HTMLButtonElement);
  const list = getElement("people-list", HTMLUListElement);
  const more = getElement("people-more", HTMLElement);
  const shown = new Map<string, PersonView>();
  let last: View | undefined;

  const wide = matchMedia("(min-width: 52rem)");
  const placeSection = () => {
    sheet.close();
    (wide.matches ? side : sheet).append(section);
  };
  wide.addEventListener("change", placeSection);
  placeSection();
  button.addEventListener("click", () => sheet.showModal());
  getElement("people-close", HTMLButtonElement).addEventListener("click", () => sheet.close());
  // A tap beside the sheet lands on the dialog itself.
  sheet.addEventListener("click", ({ target }) => target === sheet && sheet.close());

  return {
    clear() {
      sheet.close();
      last = undefined;
    },
    show(view) {
      if (
        view.presence === last?.presence &&
        view.you === last.you &&
        hasSameUsers(view.typingUsers, last.typingUsers)
      )
        return;
      last = view;
      const { count } = view.presence;
      const people = toPeople(view);
      setText(getElement("people-title", HTMLElement), view.you ? `${count} here` : "People");
      setText(getElement("people-count", HTMLElement), view.you ? String(count) : "");
      button.ariaLabel = `${count} ${count === 1 ? "person" : "people"} here`;
      drawTally(getElement("people-tally", SVGSVGElement), count);
      reconcileList(
        list,
        shown,
        people.map(({ user }) => user),
        openPerson,
      );
      for (const person of people) shown.get(person.user)?.draw(person);
      more.hidden = count <= people.length;
      setText(more, `and ${count - people.length} more`);
    },
  };
}

function openPerson(): PersonView {
  const element = createElement("li", "person");
  const avatar = createElement("span", "avatar");
  const dot = createElement("span", "dot");
  const name = createElement("span", "name");
  const knownAs = createElement("span", "known-as");
  const status = createElement("p", "status");
  avatar.ariaHidden = "true";
  dot.ariaHidden = "true";
  avatar.append(createElement("span", ""), dot);
  const who = createElement("p", "who");
  who.append(name, knownAs);
  const about = createElement("div", "about");
  about.append(who, status);
  element.append(avatar, about);
  return {
    element,
    draw(person) {
      element.style.setProperty("--hue", toHue(person.user));
      if (avatar.firstElementChild) setText(avatar.firstElementChild, toInitial(person.name));
      // Whoever has said what they are up to is not simply there.
      dot.classList.toggle("busy", person.status !== undefined);
      setText(name, person.name);
      setText(knownAs, toBadge(person));
      status.hidden = !person.isTyping && person.status === undefined;
      setText(status, person.isTyping ? "typing…" : (person.status ?? ""));
    },
  };
}

function toBadge({ isYou: you, isHost: leads, isGuest: guest }: Person): string {
  if (you) return "you";
  if (leads) return "host";
  return guest ? "guest" : "";
}

function hasSameUsers(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((user, index) => user === b[index]);
}
