import { openComposer } from "./composer";
import { openCopy } from "./copy-link";
import { openLog } from "./log-view";
import { part, write } from "./part";
import { nameOf } from "./people";
import { openPeople } from "./people-view";
import { drawTally } from "./tally";
import type { View } from "./view";
import type { Visit } from "./visit";
import { awayWords, endWords, linkWords, refusalWords, typingWords } from "./words";

export interface RoomView {
  enter(room: string, link: string): void;
  show(view: View, now: number): void;
  hide(): void;
}

export function openRoomView(act: { visit(): Visit | undefined; leave(): void }): RoomView {
  const page = part("room", HTMLElement);
  const people = openPeople();
  const log = openLog({
    sayAgain: (op) => act.visit()?.sayAgain(op),
    discard: (op) => act.visit()?.discard(op),
  });
  const composer = openComposer({
    say: (text) => act.visit()?.say(text),
    typing: () => act.visit()?.typing(),
  });
  const copy = openCopy();
  const next = part("ending-next", HTMLButtonElement);
  let title = "";
  let refused = new Set<string>();

  part("leave", HTMLButtonElement).addEventListener("click", act.leave);
  part("retry-now", HTMLButtonElement).addEventListener("click", () => act.visit()?.retryNow());
  next.addEventListener("click", () => {
    if (next.value === "leave") act.leave();
    else if (next.value === "reload") location.reload();
    else act.visit()?.rejoin();
  });
  document.addEventListener("visibilitychange", () => page.hidden || retitle());

  function retitle(): void {
    const unread = log.unread();
    document.title = `${unread > 0 ? `(${unread}) ` : ""}${title} · Tallyroom`;
  }

  function showLink(view: View, now: number): void {
    const { link } = view;
    page.dataset.link = link.is;
    write(part("link-words", HTMLElement), linkWords(link));
    const away = awayWords(view, now);
    part("away", HTMLElement).hidden = away === undefined;
    write(part("away-words", HTMLElement), away ?? "");
    part("retry-now", HTMLButtonElement).hidden = link.is !== "waiting";
    part("ending", HTMLElement).hidden = link.is !== "ended";
    composer.show(link.is !== "ended");
    if (link.is !== "ended") return;
    const words = endWords(link.code, link.reason);
    write(part("ending-title", HTMLElement), words.title);
    write(part("ending-text", HTMLElement), words.text);
    next.value = words.next;
    write(next, words.button);
  }

  function showTyping(view: View): void {
    const names = view.typing.map((user) => nameOf(view, user));
    part("typing", HTMLElement).classList.toggle("shown", names.length > 0);
    // While it fades out it still says who it was.
    if (names.length > 0) write(part("typing-words", HTMLElement), typingWords(names));
  }

  function showEmpty({ you, chat, drafts, presence }: View): void {
    const empty = part("empty", HTMLElement);
    empty.hidden = you === undefined || chat.messages.length > 0 || drafts.length > 0;
    if (empty.hidden) return;
    const alone = presence.count <= 1;
    drawTally(part("empty-tally", SVGSVGElement), presence.count);
    write(
      part("empty-title", HTMLElement),
      alone ? "You are the first one here" : "Nothing has been said yet",
    );
    write(
      part("empty-text", HTMLElement),
      alone ? "Send the link to whoever should join you." : "Say hello, or bring somebody else in.",
    );
  }

  /** A refusal is worth interrupting for, and only once. */
  function announceRefusals({ drafts }: View): void {
    const now = new Set<string>();
    for (const { op, text, fate } of drafts) {
      if (fate.is !== "refused") continue;
      now.add(op);
      if (!refused.has(op))
        write(part("aloud", HTMLElement), `Not sent: “${text.slice(0, 60)}”. ${refusalWords(fate)}`);
    }
    refused = now;
  }

  return {
    enter(room, link) {
      title = room;
      write(part("room-title", HTMLElement), room);
      copy.offer(link);
      log.clear();
      people.clear();
      composer.clear();
      page.hidden = false;
      retitle();
      composer.focus();
    },
    show(view, now) {
      showLink(view, now);
      showEmpty(view);
      log.show(view, now);
      people.show(view);
      showTyping(view);
      announceRefusals(view);
      retitle();
    },
    hide() {
      people.clear();
      page.hidden = true;
    },
  };
}
