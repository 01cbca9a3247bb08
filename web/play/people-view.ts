import { hueOf, initialOf } from "./hue";
import { type Kept, keep, make, part, write } from "./part";
import { type Person, peopleOf } from "./people";
import { drawTally } from "./tally";
import type { View } from "./view";

export interface PeopleView {
  show(view: View): void;
  clear(): void;
}

interface PersonView extends Kept {
  draw(person: Person): void;
}

/** Who is here: beside the talk where there is space, behind a button and in a sheet of its own where there is not. */
export function openPeople(): PeopleView {
  const section = part("people", HTMLElement);
  const side = part("people-side", HTMLElement);
  const sheet = part("people-sheet", HTMLDialogElement);
  const button = part("people-button", HTMLButtonElement);
  const list = part("people-list", HTMLUListElement);
  const more = part("people-more", HTMLElement);
  const shown = new Map<string, PersonView>();
  let last: View | undefined;

  const wide = matchMedia("(min-width: 52rem)");
  const settle = () => {
    sheet.close();
    (wide.matches ? side : sheet).append(section);
  };
  wide.addEventListener("change", settle);
  settle();
  button.addEventListener("click", () => sheet.showModal());
  part("people-close", HTMLButtonElement).addEventListener("click", () => sheet.close());
  // A tap beside the sheet lands on the dialog itself.
  sheet.addEventListener("click", ({ target }) => target === sheet && sheet.close());

  return {
    clear() {
      sheet.close();
      last = undefined;
    },
    show(view) {
      if (view.presence === last?.presence && view.you === last.you && same(view.typing, last.typing)) return;
      last = view;
      const { count } = view.presence;
      const people = peopleOf(view);
      write(part("people-title", HTMLElement), view.you ? `${count} here` : "People");
      write(part("people-count", HTMLElement), view.you ? String(count) : "");
      button.ariaLabel = `${count} ${count === 1 ? "person" : "people"} here`;
      drawTally(part("people-tally", SVGSVGElement), count);
      keep(
        list,
        shown,
        people.map(({ user }) => user),
        openPerson,
      );
      for (const person of people) shown.get(person.user)?.draw(person);
      more.hidden = count <= people.length;
      write(more, `and ${count - people.length} more`);
    },
  };
}

function openPerson(): PersonView {
  const element = make("li", "person");
  const avatar = make("span", "avatar");
  const dot = make("span", "dot");
  const name = make("span", "name");
  const knownAs = make("span", "known-as");
  const status = make("p", "status");
  avatar.ariaHidden = "true";
  dot.ariaHidden = "true";
  avatar.append(make("span", ""), dot);
  const who = make("p", "who");
  who.append(name, knownAs);
  const about = make("div", "about");
  about.append(who, status);
  element.append(avatar, about);
  return {
    element,
    draw(person) {
      element.style.setProperty("--hue", hueOf(person.user));
      if (avatar.firstElementChild) write(avatar.firstElementChild, initialOf(person.name));
      // Whoever has said what they are up to is not simply there.
      dot.classList.toggle("busy", person.status !== undefined);
      write(name, person.name);
      write(knownAs, knownAsWhat(person));
      status.hidden = !person.typing && person.status === undefined;
      write(status, person.typing ? "typing…" : (person.status ?? ""));
    },
  };
}

function knownAsWhat({ you, leads, guest }: Person): string {
  if (you) return "you";
  if (leads) return "host";
  return guest ? "guest" : "";
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((user, index) => user === b[index]);
}
