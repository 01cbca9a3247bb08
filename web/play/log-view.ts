import { type LineView, openLine } from "./line-view";
import { toLines } from "./lines";
import { getElement, reconcileList, setText } from "./part";
import type { View } from "./view";

/** This near to its end, the log counts as being read to the end. */
const NEAR_PX = 48;

export interface LogView {
  show(view: View, now: number): void;
  clear(): void;
  /** How many messages of others came since the reader was last at the end and looking. */
  unread(): number;
}

export function openLog(act: { sayAgain(op: string): void; discard(op: string): void }): LogView {
  const log = getElement("log", HTMLElement);
  const list = getElement("lines", HTMLOListElement);
  const newMessages = getElement("newer", HTMLButtonElement);
  const newMessagesText = getElement("newer-words", HTMLElement);
  const shown = new Map<string, LineView>();
  let last: View | undefined;
  let atEnd = true;
  let unread = 0;

  const toEnd = (behavior: ScrollBehavior) => log.scrollTo({ top: log.scrollHeight, behavior });
  const count = () => {
    if (atEnd && !document.hidden) unread = 0;
    newMessages.hidden = atEnd || unread === 0;
    setText(newMessagesText, unread === 1 ? "1 new message" : `${unread} new messages`);
  };
  log.addEventListener("scroll", () => {
    atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_PX;
    count();
  });
  // A keyboard that opens, a composer that grows: whoever read the last line still does.
  const sizes = new ResizeObserver(() => atEnd && toEnd("instant"));
  sizes.observe(log);
  sizes.observe(list);
  document.addEventListener("visibilitychange", count);
  newMessages.addEventListener("click", () => {
    toEnd(matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth");
    log.focus({ preventScroll: true });
  });

  return {
    unread: () => unread,
    clear() {
      reconcileList(list, shown, [], () => openLine(act));
      last = undefined;
      atEnd = true;
      unread = 0;
      count();
    },
    show(view, now) {
      // Before the welcome there is nothing to show; with drafts about, their countdowns run.
      if (!view.you) return;
      if (view.chat === last?.chat && view.drafts === last.drafts && view.drafts.length === 0) return;
      const lines = toLines(view);
      const added = lines.filter(({ key }) => !shown.has(key));
      const isFirst = last === undefined;
      last = view;
      // Nobody wants a hundred old messages read out at the door.
      log.setAttribute("aria-busy", String(isFirst));
      const restoreScroll = atEnd ? () => {} : keepScrollPosition(log, list);
      reconcileList(
        list,
        shown,
        lines.map(({ key }) => key),
        () => openLine(act),
      );
      for (const line of lines) shown.get(line.key)?.draw(line, view.status, now);
      restoreScroll();
      if (!isFirst) unread += added.filter(({ mine }) => !mine).length;
      if (added.some(({ draft }) => draft)) atEnd = true;
      if (atEnd) toEnd("instant");
      count();
      log.setAttribute("aria-busy", "false");
    },
  };
}

/** The oldest lines leave at the top while somebody reads further down: what is being read stays where it is. */
function keepScrollPosition(log: Element, list: Element): () => void {
  const anchor = list.lastElementChild;
  const before = anchor?.getBoundingClientRect().top ?? 0;
  return () => {
    if (anchor?.isConnected) log.scrollTop += anchor.getBoundingClientRect().top - before;
  };
}
