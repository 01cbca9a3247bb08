/** Less than this is a browser's bar sliding in or out, which `dvh` follows by itself; more is a keyboard. */
const KEYBOARD_PX = 120;

/**
 * Keeps the composer above the phone's keyboard. Browsers that shrink the page for it need nothing (see `interactive-widget`
 * in the page's head); those that lay it over the page, as Safari does, tell only the visual viewport.
 */
export function followKeyboard(): void {
  const viewport = window.visualViewport;
  if (!viewport) return;
  const root = document.documentElement.style;
  const follow = () => {
    const covered = window.innerHeight - viewport.height;
    // Zoomed in with two fingers, the viewport is small as well, and nothing is to be moved.
    if (covered > KEYBOARD_PX && viewport.scale === 1) {
      root.setProperty("--visible-height", `${viewport.height}px`);
      root.setProperty("--visible-top", `${viewport.offsetTop}px`);
    } else {
      root.removeProperty("--visible-height");
      root.removeProperty("--visible-top");
    }
  };
  viewport.addEventListener("resize", follow);
  viewport.addEventListener("scroll", follow);
}
