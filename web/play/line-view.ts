import type { Status } from "../../src/client/room-client";
import { hueOf, initialOf } from "./hue";
import type { Line } from "./lines";
import { type Kept, make, part, write } from "./part";
import { clockTime, dayName, exactTime } from "./times";
import { fateWords } from "./words";

export interface LineView extends Kept {
  draw(line: Line, link: Status, now: number): void;
}

/** One message. What people wrote goes in as text and never as anything else. */
export function openLine(act: { sayAgain(op: string): void; discard(op: string): void }): LineView {
  const element = make("li", "line");
  const day = make("p", "day");
  const avatar = make("span", "avatar");
  const name = make("span", "name");
  const time = make("time", "time");
  const author = make("p", "author");
  // Each message says whose it is to those who hear them one by one; the group's heading is for the eye.
  author.ariaHidden = "true";
  author.append(name, time);
  avatar.ariaHidden = "true";
  const whose = make("span", "unseen");
  const text = make("span", "text");
  text.dir = "auto";
  const bubble = make("p", "bubble");
  bubble.append(whose, text);
  element.append(day, avatar, author, bubble);

  let op = "";
  let fate: ReturnType<typeof openFate> | undefined;
  return {
    element,
    draw(line, link, now) {
      element.classList.toggle("mine", line.mine);
      element.classList.toggle("opens", line.opens);
      element.classList.toggle("closes", line.closes);
      element.style.setProperty("--hue", hueOf(line.user));
      day.hidden = !line.newDay;
      write(day, line.newDay ? dayName(line.at, now) : "");
      write(avatar, initialOf(line.name));
      write(name, line.mine ? "You" : line.name);
      write(time, clockTime(line.at));
      time.dateTime = new Date(line.at).toISOString();
      time.title = exactTime(line.at);
      write(whose, `${line.mine ? "You" : line.name}, ${clockTime(line.at)}: `);
      write(text, line.text);
      if (!line.draft) {
        fate?.element.remove();
        fate = undefined;
        element.classList.remove("draft", "asks");
        return;
      }
      op = line.draft.op;
      fate ??= openFate({ sayAgain: () => act.sayAgain(op), discard: () => act.discard(op) });
      if (!fate.element.isConnected) element.append(fate.element);
      const words = fateWords(line.draft.fate, link, now);
      element.classList.add("draft");
      element.classList.toggle("asks", words.asks);
      fate.draw(words);
    },
  };
}

/** What has become of a message that the room has not taken yet. */
function openFate(act: { sayAgain(): void; discard(): void }) {
  const element = make("div", "fate");
  // The refusal is announced once by itself; the countdown is not read out second by second.
  element.ariaLive = "off";
  const words = make("span", "fate-words");
  const again = make("button", "small");
  const discard = make("button", "small", "Discard");
  again.type = "button";
  discard.type = "button";
  again.addEventListener("click", act.sayAgain);
  discard.addEventListener("click", () => {
    act.discard();
    part("message", HTMLTextAreaElement).focus();
  });
  element.append(words, again, discard);
  return {
    element,
    draw({ text, wait, asks }: ReturnType<typeof fateWords>) {
      write(words, text);
      again.hidden = discard.hidden = !asks;
      again.disabled = wait !== undefined;
      write(again, wait === undefined ? "Try again" : `Try again in ${wait}`);
    },
  };
}
