import { codePoints } from "../../src/protocol/codec";
import { getElement, setText } from "./part";

/** As long as the room takes a message, in code points. */
const MAX_LENGTH = 500;
/** From here on the rest is counted aloud. */
const WARN_LENGTH = 60;

export interface Composer {
  focus(): void;
  show(open: boolean): void;
  clear(): void;
}

export function openComposer(act: { say(text: string): void; typing(): void }): Composer {
  const form = getElement("composer", HTMLFormElement);
  const message = getElement("message", HTMLTextAreaElement);
  const remaining = getElement("message-left", HTMLElement);
  const send = getElement("send", HTMLButtonElement);

  const draw = () => {
    const text = message.value.trim();
    const excess = codePoints(text) - MAX_LENGTH;
    send.disabled = text === "" || excess > 0;
    remaining.classList.toggle("over", excess > 0);
    setText(remaining, excess > 0 ? `${excess} too many` : excess > -WARN_LENGTH ? `${-excess} left` : "");
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
