import { type CallSecrets, signCall, verifyCall } from "../calls/signed-call";

const ADDRESS_HEADER = "Tallyroom-Client";
const SIGNED_HEADER = "Tallyroom-Client-Signature";

/** What an origin of ours that passes a request on says of where it came from; nothing where its platform tells nothing. */
export async function tellAddress(
  request: { method: string; path: string },
  address: string | undefined,
  secret: string | undefined,
  now: number,
): Promise<Record<string, string>> {
  if (address === undefined || secret === undefined) return {};
  return {
    [ADDRESS_HEADER]: address,
    [SIGNED_HEADER]: await signCall({ ...request, body: bodyOf(address) }, secret, now),
  };
}

/** The address that one of our origins tells. What anybody else writes there is nothing. */
export async function toldAddress(
  { method, url, headers }: Request,
  secrets: CallSecrets | undefined,
  now: number,
): Promise<string | undefined> {
  const address = headers.get(ADDRESS_HEADER);
  if (address === null || !secrets) return undefined;
  const { pathname, search } = new URL(url);
  const call = { method, path: pathname + search, body: bodyOf(address) };
  return (await verifyCall(call, headers.get(SIGNED_HEADER), secrets, now)).ok ? address : undefined;
}

/** So that no signature of another call's body is one of an address. */
function bodyOf(address: string): string {
  return `from ${address}`;
}
