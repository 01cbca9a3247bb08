import type { CallSecrets } from "../../config/config";
import { signCall, verifyCall } from "../signed-calls/signed-call";

const CLIENT_IP_HEADER = "Tallyroom-Client";
const CLIENT_IP_SIGNATURE_HEADER = "Tallyroom-Client-Signature";

/** What an origin of ours that passes a request on says of where it came from; nothing where its platform tells nothing. */
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

/** The address that one of our origins tells. What anybody else writes there is nothing. */
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

/** So that no signature of another call's body is one of an address. */
function signedBody(ip: string): string {
  return `from ${ip}`;
}
