import { openComposer } from "./composer";
import { openCopyLink } from "./copy-link";
import { openLog } from "./log-view";
import { getElement, setText } from "./part";
import { findName } from "./people";
import { openPeople } from "./people-view";
import { drawTally } from "./tally";
import type { View } from "./view";
import type { Visit } from "./visit";
import { endNotice, offlineText, rejectionText, statusText, typingText } from "./words";

export interface RoomView {
  enter(room: string, link: string): void;
  show(view: View, now: number): void;
  hide(): void;
}

export function openRoomView(act: { visit(): Visit | undefined; leave(): void }): RoomView {
  const page = getElement("room", HTMLElement);
  const people = openPeople();
  const log = openLog({
    sayAgain: (op) => act.visit()?.retry(op),
    discard: (op) => act.visit()?.discard(op),
  });
  const composer = openComposer({
    say: (text) => act.visit()?.say(text),
    typing: () => act.visit()?.reportTyping(),
  });
  const copy = openCopyLink();
  const next = getElement("ending-next", HTMLButtonElement);
  let roomTitle = "";
  let rejectedDrafts = new Set<string>();

  getElement("leave", HTMLButtonElement).addEventListener("click", act.leave);
  getElement("retry-now", HTMLButtonElement).addEventListener("click", () => act.visit()?.retryNow());
  next.addEventListener("click", () => {
    if (next.value === "leave") act.leave();
    else if (next.value === "reload") location.reload();
    else act.visit()?.rejoin();
  });
  document.addEventListener("visibilitychange", () => page.hidden || updateTitle());

  function updateTitle(): void {
    const unread = log.unread();
    document.title = `${unread > 0 ? `(${unread}) ` : ""}${roomTitle} · Tallyroom`;
  }

  function showStatus(view: View, now: number): void {
    const { status } = view;
    page.dataset.link = status.is;
    setText(getElement("link-words", HTMLElement), statusText(status));
    const away = offlineText(view, now);
    getElement("away", HTMLElement).hidden = away === undefined;
    setText(getElement("away-words", HTMLElement), away ?? "");
    getElement("retry-now", HTMLButtonElement).hidden = status.is !== "waiting";
    getElement("ending", HTMLElement).hidden = status.is !== "ended";
    composer.show(status.is !== "ended");
    if (status.is !== "ended") return;
    const words = endNotice(status.code, status.reason);
    setText(getElement("ending-title", HTMLElement), words.title);
    setText(getElement("ending-text", HTMLElement), words.text);
    next.value = words.next;
    setText(next, words.button);
  }

  function showTyping(view: View): void {
    const names = view.typingUsers.map((user) => findName(view, user));
    getElement("typing", HTMLElement).classList.toggle("shown", names.length > 0);
    // While it fades out it still says who it was.
    if (names.length > 0) setText(getElement("typing-words", HTMLElement), typingText(names));
  }

  function showEmpty({ you, chat, drafts, presence }: View): void {
    const empty = getElement("empty", HTMLElement);
    empty.hidden = you === undefined || chat.messages.length > 0 || drafts.length > 0;
    if (empty.hidden) return;
    const alone = presence.count <= 1;
    drawTally(getElement("empty-tally", SVGSVGElement), presence.count);
    setText(
      getElement("empty-title", HTMLElement),
      alone ? "You are the first one here" : "Nothing has been said yet",
    );
    setText(
      getElement("empty-text", HTMLElement),
      alone ? "Send the link to whoever should join you." : "Say hello, or bring somebody else in.",
    );
  }

  /** A refusal is worth interrupting for, and only once. */
  function announceRejections({ drafts }: View): void {
    const now = new Set<string>();
    for (const { op, text, state: fate } of drafts) {
      if (fate.is !== "refused") continue;
      now.add(op);
      if (!rejectedDrafts.has(op))
        setText(getElement("aloud", HTMLElement), `Not sent: “${text.slice(0, 60)}”. ${rejectionText(fate)}`);
    }
    rejectedDrafts = now;
  }

  return {
    enter(room, link) {
      roomTitle = room;
      setText(getElement("room-title", HTMLElement), room);
      copy.offer(link);
      log.clear();
      people.clear();
      composer.clear();
      page.hidden = false;
      updateTitle();
      composer.focus();
    },
    show(view, now) {
      showStatus(view, now);
      showEmpty(view);
      log.show(view, now);
      people.show(view);
      showTyping(view);
      announceRejections(view);
      updateTitle();
    },
    hide() {
      people.clear();
      page.hidden = true;
    },
  };
}
