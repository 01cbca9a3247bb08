import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";

export const ISSUER = "https://issuer.test/";
export const AUDIENCE = "tallyroom-tests";

interface SigningKey {
  publicKey: CryptoKey;
  privateKey: CryptoKey;
  kid: string;
  alg: string;
}
type Behaviour = "well" | "slow" | "silent" | "failing" | "garbage" | "moved";

/** An issuer with its key server: real keys, real HTTP on loopback, and faults. */
export class KeyServer {
  behaviour: Behaviour = "well";
  slowMs = 400;
  /** The number of requests. */
  requestCount = 0;
  /** What it publishes. */
  keys: JWK[] = [];
  #server: Server | undefined;
  #port = 0;

  async start(port = this.#port): Promise<this> {
    this.#server = createServer((request, response) => {
      this.requestCount++;
      const answer = () => {
        response.setHeader("Content-Type", "application/json");
        if (this.behaviour === "failing") response.writeHead(500).end("{}");
        else if (this.behaviour === "moved")
          response.writeHead(302, { Location: "http://127.0.0.1:1/" }).end();
        else if (this.behaviour === "garbage") response.end("<html>");
        else response.end(JSON.stringify({ keys: this.keys }));
      };
      request.resume();
      if (this.behaviour === "silent") return;
      if (this.behaviour === "slow") setTimeout(answer, this.slowMs);
      else answer();
    });
    await new Promise<void>((resolve) => this.#server?.listen(port, "127.0.0.1", resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  /** Nothing listens any more; `start` opens the same port again. */
  async stop(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((resolve) => this.#server?.close(resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/keys`;
  }

  get env(): Record<string, string> {
    return { AUTH_JWKS_URL: this.url, AUTH_ISSUER: ISSUER, AUTH_AUDIENCE: AUDIENCE };
  }

  /** A new pair, published at once by default. */
  async addKey(kid: string, alg = "ES256", more: JWK | { publish: false } = {}): Promise<SigningKey> {
    const pair = await generateKeyPair(alg, { extractable: true });
    if (!("publish" in more)) {
      this.keys.push({ ...(await exportJWK(pair.publicKey)), kid, alg, use: "sig", ...more });
    }
    return Object.assign(pair, { kid, alg });
  }

  removeKey(kid: string): void {
    this.keys = this.keys.filter((key) => key.kid !== kid);
  }
}

/** A token of this issuer's, valid for an hour from `now` by default; `undefined` leaves one out. */
export async function signIssuerToken(
  { privateKey, kid, alg }: SigningKey,
  claims: Record<string, unknown> = {},
  now = Date.now(),
  header: Record<string, unknown> = {},
): Promise<string> {
  const all: Record<string, unknown> = {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: "ann",
    exp: Math.floor(now / 1000) + 3600,
    ...claims,
  };
  for (const [name, value] of Object.entries(all)) if (value === undefined) delete all[name];
  return new SignJWT(all as JWTPayload).setProtectedHeader({ alg, kid, ...header }).sign(privateKey);
}
