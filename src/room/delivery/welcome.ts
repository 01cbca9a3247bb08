import { MAX_MESSAGE_BYTES, PING_MS, RESEND_MS, SILENT_MS } from "../../protocol/limits";
import { protocolVersion } from "../../protocol/version";
import type { Committer } from "../commit/committer";
import { CONNECTION_RULE } from "../inbound/connection-limits";
import type { Connection } from "./connection";

/** Writes welcomes. The state is encoded once a number, whoever asks. */
export class Welcomes {
  #state: { seq: number; text: string } | undefined;
  /** Counted for tests. */
  encodings = 0;
  readonly #features: string;
  readonly #limits: string;

  constructor(private readonly kernel: Committer) {
    const { kind, settings } = kernel.context;
    this.#features = JSON.stringify(
      Object.fromEntries(kind.features.map(({ name, version }) => [name, version])),
    );
    this.#limits = JSON.stringify({
      maxBytes: MAX_MESSAGE_BYTES,
      resendMs: RESEND_MS,
      recoveryMs: settings.recoveryMs,
      pingMs: PING_MS,
      silentMs: SILENT_MS,
      rules: Object.fromEntries(
        [
          ...kernel.registry.rates,
          ...(settings.actionRate ? [[CONNECTION_RULE, settings.actionRate] as const] : []),
        ].map(([rule, { count, perMs }]) => [rule, { count, perMs }]),
      ),
    });
  }

  text(to: Connection, resumed: boolean, token: string | undefined): string {
    const { state: memory, context: parts, now } = this.kernel;
    const { user, name } = to.member;
    const you = { user, name, role: to.role, conn: to.id, ...(token === undefined ? {} : { token }) };
    const mine = this.#views(user);
    return [
      `{"t":"welcome","v":${protocolVersion},"room":${JSON.stringify(parts.name)},"you":${JSON.stringify(you)}`,
      `"epoch":"${memory.epoch}","seq":${memory.seq},"at":${now},"resumed":${resumed},"features":${this.#features}`,
      ...(resumed ? [] : [`"state":${this.#stateText()}`]),
      ...(mine === undefined ? [] : [`"mine":${mine}`]),
      `"feeds":${JSON.stringify(this.kernel.feeds)}`,
      `"limits":${this.#limits}}`,
    ].join(",");
  }

  #stateText(): string {
    const { seq, slices } = this.kernel.state;
    if (this.#state?.seq !== seq) {
      this.#state = { seq, text: JSON.stringify(slices.state()) };
      this.encodings++;
    }
    return this.#state.text;
  }

  #views(user: string): string | undefined {
    const own = [...this.kernel.features.keys()].map(
      (name) => [name, this.kernel.privateViews.viewFor(name, user)] as const,
    );
    const some = own.filter(([, slice]) => slice !== undefined);
    return some.length > 0 ? JSON.stringify(Object.fromEntries(some)) : undefined;
  }
}
