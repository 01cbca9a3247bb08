import type { Status } from "../../src/client/room-client";
import { toHue, toInitial } from "./hue";
import type { Line } from "./lines";
import { createElement, getElement, type ListItem, setText } from "./part";
import { formatClockTime, formatDay, formatExactTime } from "./times";
import { draftStateText } from "./words";

export interface LineView extends ListItem {
  draw(line: Line, link: Status, now: number): void;
}

/** One message. What people wrote goes in as text and never as anything else. */
export function openLine(act: { sayAgain(op: string): void; discard(op: string): void }): LineView {
  const element = createElement("li", "line");
  const day = createElement("p", "day");
  const avatar = createElement("span", "avatar");
  const name = createElement("span", "name");
  const time = createElement("time", "time");
  const author = createElement("p", "author");
  // Each message says whose it is to those who hear them one by one; the group's heading is for the eye.
  author.ariaHidden = "true";
  author.append(name, time);
  avatar.ariaHidden = "true";
  const spokenAuthor = createElement("span", "unseen");
  const text = createElement("span", "text");
  text.dir = "auto";
  const bubble = createElement("p", "bubble");
  bubble.append(spokenAuthor, text);
  element.append(day, avatar, author, bubble);

  let op = "";
  let stateView: ReturnType<typeof openDraftState> | undefined;
  return {
    element,
    draw(line, link, now) {
      element.classList.toggle("mine", line.mine);
      element.classList.toggle("opens", line.opens);
      element.classList.toggle("closes", line.closes);
      element.style.setProperty("--hue", toHue(line.user));
      day.hidden = !line.newDay;
      setText(day, line.newDay ? formatDay(line.at, now) : "");
      setText(avatar, toInitial(line.name));
      setText(name, line.mine ? "You" : line.name);
      setText(time, formatClockTime(line.at));
      time.dateTime = new Date(line.at).toISOString();
      time.title = formatExactTime(line.at);
      setText(spokenAuthor, `${line.mine ? "You" : line.name}, ${formatClockTime(line.at)}: `);
      setText(text, line.text);
      if (!line.draft) {
        stateView?.element.remove();
        stateView = undefined;
        element.classList.remove("draft", "asks");
        return;
      }
      op = line.draft.op;
      stateView ??= openDraftState({ sayAgain: () => act.sayAgain(op), discard: () => act.discard(op) });
      if (!stateView.element.isConnected) element.append(stateView.element);
      const words = draftStateText(line.draft.fate, link, now);
      element.classList.add("draft");
      element.classList.toggle("asks", words.needsDecision);
      stateView.draw(words);
    },
  };
}

/** What has become of a message that the room has not taken yet. */
function openDraftState(act: { sayAgain(): void; discard(): void }) {
  const element = createElement("div", "fate");
  // The refusal is announced once by itself; the countdown is not read out second by second.
  element.ariaLive = "off";
  const words = createElement("span", "fate-words");
  const retry = createElement("button", "small");
  const discard = createElement("button", "small", "Discard");
  retry.type = "button";
  discard.type = "button";
  retry.addEventListener("click", act.sayAgain);
  discard.addEventListener("click", () => {
    act.discard();
    getElement("message", HTMLTextAreaElement).focus();
  });
  element.append(words, retry, discard);
  return {
    element,
    draw({ text, wait, needsDecision: asks }: ReturnType<typeof draftStateText>) {
      setText(words, text);
      retry.hidden = discard.hidden = !asks;
      retry.disabled = wait !== undefined;
      setText(retry, wait === undefined ? "Try again" : `Try again in ${wait}`);
    },
  };
}
