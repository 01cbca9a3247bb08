import { part, write } from "./part";

const TOLD_MS = 2_500;

export interface CopyLink {
  offer(link: string): void;
}

/** The buttons that copy the room's link, and say that they did. */
export function openCopy(): CopyLink {
  let link = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  const words = [part("copy-words", HTMLElement), part("empty-copy-words", HTMLElement)];
  const buttons = [part("copy", HTMLButtonElement), part("empty-copy", HTMLButtonElement)];

  const tell = (copied: boolean) => {
    write(part("aloud", HTMLElement), copied ? "Link copied" : "");
    for (const element of words) write(element, copied ? "Link copied" : "Copy link");
    for (const button of buttons) button.classList.toggle("told", copied);
    clearTimeout(timer);
    if (copied) timer = setTimeout(tell, TOLD_MS, false);
  };
  for (const button of buttons) {
    button.addEventListener("click", async () => {
      if (await copy(link)) tell(true);
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

async function copy(text: string): Promise<boolean> {
  try {
    // Absent on pages that came over plain HTTP from another machine.
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
