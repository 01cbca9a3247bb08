/** Declared here because the pure folders compile without the types of a runtime. Every runtime has `URL`. */
declare const URL: new (text: string) => { readonly origin: string };

/** `undefined` for text that no runtime accepts as a URL, such as one with a port past 65535 or an unclosed bracket. */
export function parseUrl(text: string): { readonly origin: string } | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}
