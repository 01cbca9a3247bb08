import type { CallSecrets } from "../../config/config";
import { signCall, verifyCall } from "../signed-calls/signed-call";

const CLIENT_IP_HEADER = "Tallyroom-Client";
const CLIENT_IP_SIGNATURE_HEADER = "Tallyroom-Client-Signature";

/** The headers with which one of our servers forwards a client's address. Empty if it does not know the address. */
export async function signForwardedIp(
  request: { method: string; path: string },
  ip: string | undefined,
  secret: string | undefined,
  now: number,
): Promise<Record<string, string>> {
  if (ip === undefined || secret === undefined) return {};
  return {
    [CLIENT_IP_HEADER]: ip,
    [CLIENT_IP_SIGNATURE_HEADER]: await signCall({ ...request, body: signedBody(ip) }, secret, now),
  };
}

/** The client's address as one of our servers forwarded it. Without a valid signature the header is ignored. */
export async function verifyForwardedIp(
  { method, url, headers }: Request,
  secrets: CallSecrets | undefined,
  now: number,
): Promise<string | undefined> {
  const ip = headers.get(CLIENT_IP_HEADER);
  if (ip === null || !secrets) return undefined;
  const { pathname, search } = new URL(url);
  const call = { method, path: pathname + search, body: signedBody(ip) };
  return (await verifyCall(call, headers.get(CLIENT_IP_SIGNATURE_HEADER), secrets, now)).ok ? ip : undefined;
}

/** The prefix keeps the signature of another call from being valid for an address. */
function signedBody(ip: string): string {
  return `from ${ip}`;
}
