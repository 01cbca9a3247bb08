/** A piece of the page, by its id and of the kind it must be: a typo is found when the page opens, not when it is used. */
export function getElement<E extends Element>(id: string, kind: new () => E): E {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`The page has no ${kind.name} #${id}.`);
  return found;
}

export function createElement<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  text = "",
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.textContent = text;
  return element;
}

/** Writes only what changed, so that nothing is announced twice. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** What stands in a list: its element, and whatever else its maker wants to find again. */
export interface ListItem {
  element: HTMLElement;
}

/** Makes a list's children those of `keys`, in order, leaving each element that is already there where it is. */
export function reconcileList<K extends ListItem>(
  list: Element,
  items: Map<string, K>,
  keys: readonly string[],
  create: () => K,
): void {
  const wantedKeys = new Set(keys);
  for (const [key, { element }] of items) {
    if (wantedKeys.has(key)) continue;
    element.remove();
    items.delete(key);
  }
  let next = list.firstElementChild;
  for (const key of keys) {
    const item = items.get(key) ?? create();
    items.set(key, item);
    if (item.element === next) next = next.nextElementSibling;
    else list.insertBefore(item.element, next);
  }
}
