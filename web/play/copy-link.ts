import { getElement, setText } from "./part";

const SHOWN_MS = 2_500;

export interface CopyLink {
  offer(link: string): void;
}

/** The buttons that copy the room's link, and say that they did. */
export function openCopyLink(): CopyLink {
  let link = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  const labels = [getElement("copy-words", HTMLElement), getElement("empty-copy-words", HTMLElement)];
  const buttons = [getElement("copy", HTMLButtonElement), getElement("empty-copy", HTMLButtonElement)];

  const showCopied = (copied: boolean) => {
    setText(getElement("aloud", HTMLElement), copied ? "Link copied" : "");
    for (const element of labels) setText(element, copied ? "Link copied" : "Copy link");
    for (const button of buttons) button.classList.toggle("told", copied);
    clearTimeout(timer);
    if (copied) timer = setTimeout(showCopied, SHOWN_MS, false);
  };
  for (const button of buttons) {
    button.addEventListener("click", async () => {
      if (await copyText(link)) showCopied(true);
      // Where a page may not copy, it can at least hand the text over to be copied.
      else prompt("The room’s link:", link);
    });
  }
  return {
    offer(next) {
      link = next;
    },
  };
}

async function copyText(text: string): Promise<boolean> {
  try {
    // Absent on pages that came over plain HTTP from another machine.
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
