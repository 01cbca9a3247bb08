import { codePoints } from "../../src/protocol/codec";
import { part, write } from "./part";

/** As long as the room takes a message, in code points. */
const MOST = 500;
/** From here on the rest is counted aloud. */
const NEARLY = 60;

export interface Composer {
  focus(): void;
  show(open: boolean): void;
  clear(): void;
}

export function openComposer(act: { say(text: string): void; typing(): void }): Composer {
  const form = part("composer", HTMLFormElement);
  const message = part("message", HTMLTextAreaElement);
  const left = part("message-left", HTMLElement);
  const send = part("send", HTMLButtonElement);

  const draw = () => {
    const text = message.value.trim();
    const over = codePoints(text) - MOST;
    send.disabled = text === "" || over > 0;
    left.classList.toggle("over", over > 0);
    write(left, over > 0 ? `${over} too many` : over > -NEARLY ? `${-over} left` : "");
    // Where `field-sizing` is known the style sheet does this.
    if (CSS.supports("field-sizing", "content")) return;
    message.style.height = "auto";
    message.style.height = `${message.scrollHeight}px`;
  };

  message.addEventListener("input", () => {
    draw();
    if (message.value.trim() !== "") act.typing();
  });
  message.addEventListener("keydown", (event) => {
    // Enter that ends an input method's composition chooses a word; it sends nothing.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    draw();
    if (send.disabled) return;
    act.say(message.value.trim());
    message.value = "";
    draw();
    message.focus();
  });

  return {
    focus() {
      if (matchMedia("(pointer: fine)").matches) message.focus();
    },
    show(open) {
      form.hidden = !open;
    },
    clear() {
      message.value = "";
      draw();
    },
  };
}
