/** The one part of the web that the configuration needs: every runtime has it, and the pure folders know no runtime. */
declare const URL: new (text: string) => { readonly origin: string };

/** `undefined` for what no runtime takes for an address, whatever it looks like: a port past 65535, half a bracket. */
export function parseUrl(text: string): { readonly origin: string } | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}
