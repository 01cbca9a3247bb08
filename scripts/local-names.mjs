/** Under these names nobody but this machine is reached (RFC 6761, RFC 5735). */
const LOCAL_NAME = /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/i;

/**
 * The name in a Host header, without its port; `undefined` if it makes no sense.
 * @param {string | undefined} host
 */
function nameOf(host) {
  try {
    return new URL(`http://${host}`).hostname;
  } catch {
    return undefined;
  }
}

/**
 * Whether a request names this machine. One that a page makes after its DNS name was pointed at 127.0.0.1 (DNS rebinding) names that page's host.
 * @param {string | undefined} host the Host header
 * @param {readonly string[]} [others] names that are allowed beside this machine's
 */
export function isLocalHost(host, others = []) {
  const name = nameOf(host);
  return name !== undefined && (LOCAL_NAME.test(name) || others.includes(name));
}

/**
 * Whether a request comes from a page of this machine, or from no page at all.
 * @param {string | undefined} origin the Origin header
 */
export function isLocalOrigin(origin) {
  if (origin === undefined) return true;
  const [, scheme, host] = /^(https?|devtools):\/\/(.+)$/i.exec(origin) ?? [];
  return scheme?.toLowerCase() === "devtools" || isLocalHost(host);
}

/** The same judgement of a Host header, as source for a runtime that loads no files. */
export const IS_LOCAL_HOST_SOURCE = `const LOCAL_NAME = ${LOCAL_NAME};\n${nameOf}\n${isLocalHost.toString()}`;
