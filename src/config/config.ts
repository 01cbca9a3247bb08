import { parseUrl } from "../lib/parse-url";
import { byteLength } from "../protocol/codec";
import {
  type AddressRuleName,
  addressRates,
  connectionRates,
  networkRateOf,
  type Rate,
  userRates,
} from "../protocol/rates";
import type { RoomSettings } from "../room/settings";
import { type BoardRetention, defaultRetention, parseRetention, RETENTION_PROBLEM } from "./board-retention";

/** The variables and bindings of a deployment, as its platform gives them. */
export type Environment = Readonly<Record<string, unknown>>;

/** The secret that our own servers sign calls with, and the one before it while both sides change over. */
export interface CallSecrets {
  current: string;
  previous?: string;
}

export interface Config {
  authSecret?: string;
  batchSecret?: string;
  /** Still accepted while both sides change over to `batchSecret`. */
  batchSecretOld?: string;
  jwks?: { url: string; issuer: string; audience: string };
  guests: boolean;
  allowedOrigins: string[];
  scoreboardUrl?: string;
  roomsUrl?: string;
  room: RoomSettings;
  boardTtlMs: number;
  boardKeepMs: BoardRetention;
  maxRooms: number;
  /** Logs each restore of a room. */
  debugRooms: boolean;
  /** Per client address; `null` is off. */
  limits: Record<AddressRuleName, Rate | null>;
  /** Per /48 of an IPv6 address; `null` is off. */
  networkLimits: Record<AddressRuleName, Rate | null>;
}

/** `problems`: each a sentence that names its variable and what is expected, and never the value, which may be a secret. */
export type ConfigResult = { ok: true; config: Config } | { ok: false; problems: string[] };

/** HS256 requires a key as long as its hash (RFC 7518, 3.2). */
const AUTH_SECRET_BYTES = 32;
/** 128 bits: too many to try out. */
const BATCH_SECRET_BYTES = 16;
/** Above this `setTimeout` overflows and fires at once. */
const MAX_MS = 2 ** 31 - 1;
/** A window keeps one stamp per use, for its whole width. */
const MAX_RATE_COUNT = 100_000;
const MAX_RATE_SECONDS = 7 * 86_400;
/** The most sockets that one Durable Object can hold. */
const MAX_USERS = 32_768;
const MAX_ROOMS = 1_000_000;
const addressRules = Object.keys(addressRates) as AddressRuleName[];

const fullUrl = /^https?:\/\/[^\s/?#@]+(\/[^\s?#]*)?$/i;
const keyUrl = /^(https:\/\/[^\s/?#@]+|http:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d+)?)(\/\S*)?$/i;
/** No wildcards: no page's origin contains a `*`. */
const originUrl = /^https?:\/\/[^\s/?#@,*]+\/?$/i;

/**
 * Reads every variable of a server. Pure, so that the commands that start servers check variables by the same rules. Ports and the
 * folder of local state are read by those commands alone.
 */
export function readConfig(env: Environment): ConfigResult {
  const { problems, text, choice, whole, rate, url, secret } = createReader(env);
  const authSecret = secret("AUTH_SECRET", AUTH_SECRET_BYTES);
  const batchSecret = secret("BATCH_SECRET", BATCH_SECRET_BYTES);
  const batchSecretOld = secret("BATCH_SECRET_OLD", BATCH_SECRET_BYTES);
  if (batchSecretOld !== undefined && batchSecret === undefined) {
    problems.push("BATCH_SECRET_OLD must go with BATCH_SECRET, which has no value.");
  }
  const jwks = readJwks();
  const scoreboardUrl = url("SCOREBOARD_URL");
  const roomsUrl = url("ROOMS_URL");
  const chat = rate("CHAT_LIMIT");
  const read = rate("READ_LIMIT", addressRates.read);
  const limits: Config["limits"] = {
    connect: rate("CONNECT_LIMIT", addressRates.connect),
    newRoom: rate("NEW_ROOM_LIMIT", addressRates.newRoom),
    guest: rate("GUEST_LIMIT", addressRates.guest),
    failedToken: rate("FAILED_TOKEN_LIMIT", addressRates.failedToken),
    read,
    // One variable for both: reads that reach the database have a tenth of the limit.
    readMiss: read && { count: Math.max(1, Math.floor(read.count / 10)), perMs: read.perMs },
    live: rate("LIVE_LIMIT", addressRates.live),
  };
  const config: Config = {
    ...(authSecret === undefined ? {} : { authSecret }),
    ...(batchSecret === undefined ? {} : { batchSecret }),
    ...(batchSecretOld === undefined ? {} : { batchSecretOld }),
    ...(jwks === undefined ? {} : { jwks }),
    guests: choice("GUESTS", ["on", "off"], "off") === "on",
    allowedOrigins: readOrigins(),
    ...(scoreboardUrl === undefined ? {} : { scoreboardUrl }),
    ...(roomsUrl === undefined ? {} : { roomsUrl }),
    room: {
      idleMs: whole("IDLE_MS", 900_000, 1, MAX_MS, "milliseconds"),
      recoveryMs: whole("RECOVERY_MS", 120_000, 0, MAX_MS, "milliseconds"),
      leaveGraceMs: whole("LEAVE_GRACE_MS", 5_000, 0, MAX_MS, "milliseconds"),
      maxUsers: whole("MAX_USERS", 1_000, 1, MAX_USERS, "users"),
      flushMs: whole("FLUSH_MS", 5_000, 0, MAX_MS, "milliseconds"),
      actionRate: rate("ACTION_LIMIT", connectionRates.connection),
      // Only what is set overrides the default, which is in the feature.
      rules: { ...(chat === undefined ? {} : { "chat.say": chat }), ...readRules() },
    },
    boardTtlMs: whole("BOARD_TTL_MS", 60_000, 0, MAX_MS, "milliseconds"),
    boardKeepMs: readRetention() ?? defaultRetention,
    debugRooms: choice("DEBUG_ROOMS", ["on", "off"], "off") === "on",
    maxRooms: whole("MAX_ROOMS", 10_000, 1, MAX_ROOMS, "rooms"),
    limits,
    networkLimits: readNetworkLimits(),
  };
  return problems.length === 0 ? { ok: true, config } : { ok: false, problems };

  function readJwks(): Config["jwks"] {
    const jwksUrl = text("AUTH_JWKS_URL");
    const issuer = text("AUTH_ISSUER");
    const audience = text("AUTH_AUDIENCE");
    if (jwksUrl === undefined && issuer === undefined && audience === undefined) return undefined;
    if (jwksUrl === undefined || issuer === undefined || audience === undefined) {
      const missing = Object.entries({ AUTH_JWKS_URL: jwksUrl, AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience })
        .filter(([, value]) => value === undefined)
        .map(([name]) => name);
      problems.push(
        `AUTH_JWKS_URL, AUTH_ISSUER and AUTH_AUDIENCE go together: all three or none. Without a value: ${missing.join(", ")}.`,
      );
      return undefined;
    }
    if (!keyUrl.test(jwksUrl) || !parseUrl(jwksUrl)) {
      problems.push("AUTH_JWKS_URL must be an https address (http only on the local machine).");
      return undefined;
    }
    return { url: jwksUrl, issuer, audience };
  }

  /** `presence.set=5/10, quiz:chat.say=0`: any rule of a feature, in all kinds of room or in one. */
  function readRules(): Record<string, Rate | null> {
    const rules: Record<string, Rate | null> = {};
    for (const part of (text("RULE_LIMITS") ?? "").split(",").map((one) => one.trim())) {
      if (part === "") continue;
      const [, rule, value = ""] =
        /^((?:[a-z][a-z0-9-]*:)?[a-z][a-zA-Z0-9-]*\.[a-zA-Z0-9-]+)=(.*)$/.exec(part) ?? [];
      const read = parseRate(value);
      if (rule !== undefined && isUnknownRule(rule)) {
        problems.push("RULE_LIMITS must name existing rules: docs/operations.md lists them.");
        return {};
      }
      if (rule !== undefined && read !== undefined) rules[rule] = read;
      else {
        problems.push(
          "RULE_LIMITS must be a list of rule=count/seconds with commas between them, such as presence.set=5/10,quiz:chat.say=0.",
        );
        return {};
      }
    }
    return rules;
  }

  /** `newRoom=30/900, guest=0`: a rule that is not named follows from the limit of one address. */
  function readNetworkLimits(): Config["networkLimits"] {
    const networkLimits = { ...limits };
    for (const rule of addressRules) {
      const one = limits[rule];
      const wide = one && networkRateOf(rule, one);
      networkLimits[rule] = wide && { ...wide, count: Math.min(wide.count, MAX_RATE_COUNT) };
    }
    for (const part of (text("NETWORK_LIMITS") ?? "").split(",").map((one) => one.trim())) {
      if (part === "") continue;
      const [name, value = ""] = part.split("=", 2);
      const rule = addressRules.find((known) => known === name);
      const read = parseRate(value);
      if (rule === undefined || read === undefined) {
        problems.push(
          `NETWORK_LIMITS must be a list of rule=count/seconds with commas between them, such as newRoom=30/900,guest=0. Rules: ${addressRules.join(", ")}.`,
        );
        break;
      }
      networkLimits[rule] = read;
    }
    return networkLimits;
  }

  function readRetention(): BoardRetention | undefined {
    const read = parseRetention(text("BOARD_RETENTION") ?? "");
    if (!read) problems.push(RETENTION_PROBLEM);
    return read;
  }

  function readOrigins(): string[] {
    const origins = (text("ALLOWED_ORIGINS") ?? "").split(/[\s,]+/).filter((origin) => origin !== "");
    // As a browser writes it: lower case, without the scheme's default port, other alphabets encoded.
    const plain = origins.map((origin) => (originUrl.test(origin) ? parseUrl(origin)?.origin : undefined));
    const known = plain.filter((origin) => origin !== undefined);
    if (known.length < plain.length) {
      problems.push(
        "ALLOWED_ORIGINS must be a list of origins with commas between them, such as https://play.example.org.",
      );
    }
    return known;
  }
}

/** A platform passes the same variables with every request, and reading them costs more than answering from memory. */
const configByEnv = new WeakMap<object, Config>();

/** The configuration of a deployment. Its defaults if it has an error, so that a typing error costs no room its alarm. */
export function configOf(env: Environment): Config {
  const cached = configByEnv.get(env);
  if (cached) return cached;
  const parsed = readConfig(env);
  const usable = parsed.ok ? parsed : readConfig({});
  if (!usable.ok) throw new Error(`The default configuration is invalid: ${usable.problems.join(" ")}`);
  configByEnv.set(env, usable.config);
  return usable.config;
}

/** `undefined` if the deployment has no BATCH_SECRET, and so can neither sign nor verify a call. */
export function callSecretsOf(env: Environment): CallSecrets | undefined {
  const { batchSecret: current, batchSecretOld: previous } = configOf(env);
  return current === undefined ? undefined : { current, ...(previous === undefined ? {} : { previous }) };
}

/** Whether one of our own features lacks this rule. The rules of other features are not known here. */
function isUnknownRule(rule: string): boolean {
  const plain = rule.slice(rule.indexOf(":") + 1);
  const isOurs = Object.keys(userRates).some((known) => known.split(".")[0] === plain.split(".")[0]);
  return isOurs && !Object.hasOwn(userRates, plain);
}

/** `undefined` if the text is no rate; `null` is off. */
function parseRate(value: string): Rate | null | undefined {
  if (value === "0") return null;
  const [, count, seconds] = /^(\d{1,9})\/(\d{1,9}(?:\.\d{1,3})?)$/.exec(value) ?? [];
  const read = { count: Number(count), perMs: Math.round(Number(seconds) * 1000) };
  const isRate =
    read.count >= 1 &&
    read.count <= MAX_RATE_COUNT &&
    read.perMs >= 1 &&
    read.perMs <= MAX_RATE_SECONDS * 1000;
  return isRate ? read : undefined;
}

/** Reads one variable at a time. An invalid one adds to `problems`, and its fallback is returned. */
function createReader(env: Environment) {
  const problems: string[] = [];

  /** An empty variable counts as not set, because `.env` files leave one out that way. */
  function raw(name: string): string | undefined {
    const value = env[name];
    if (value === undefined || value === null || value === "") return undefined;
    if (typeof value === "string") return value;
    if (typeof value === "number" || typeof value === "boolean") return String(value);
    problems.push(`${name} must be text.`);
    return undefined;
  }

  function text(name: string): string | undefined {
    return raw(name)?.trim() || undefined;
  }

  /** Not trimmed, because the other holder of the secret uses every byte. */
  function secret(name: string, bytes: number): string | undefined {
    const value = raw(name);
    if (value === undefined || byteLength(value) >= bytes) return value;
    problems.push(`${name} must be at least ${bytes} bytes long.`);
    return undefined;
  }

  function choice(name: string, choices: readonly string[], fallback: string): string {
    const value = text(name) ?? fallback;
    if (!choices.includes(value)) problems.push(`${name} must be ${choices.join(" or ")}.`);
    return value;
  }

  function whole(name: string, fallback: number, min: number, max: number, what: string): number {
    const value = text(name);
    if (value === undefined) return fallback;
    const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
    if (number >= min && number <= max) return number;
    problems.push(`${name} must be a whole number from ${min} to ${max} (${what}).`);
    return fallback;
  }

  function rate(name: string, fallback: Rate): Rate | null;
  function rate(name: string): Rate | null | undefined;
  function rate(name: string, fallback?: Rate): Rate | null | undefined {
    const value = text(name);
    if (value === undefined) return fallback && { count: fallback.count, perMs: fallback.perMs };
    const read = parseRate(value);
    if (read !== undefined) return read;
    problems.push(
      `${name} must be count/seconds such as 10/60 (at most ${MAX_RATE_COUNT} in at most ${MAX_RATE_SECONDS} seconds), or 0 to switch it off.`,
    );
    return fallback;
  }

  /** Returned without a slash at its end, so that a path can follow. */
  function url(name: string): string | undefined {
    const value = text(name);
    if (value === undefined) return undefined;
    if (fullUrl.test(value) && parseUrl(value)) return value.replace(/\/+$/, "");
    problems.push(
      `${name} must be an address that begins with http:// or https:// and has no user, query or hash.`,
    );
    return undefined;
  }

  return { problems, text, choice, whole, rate, url, secret };
}
