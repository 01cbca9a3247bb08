import { MAX_MESSAGE_BYTES, PING_MS, RESEND_MS, SILENT_MS } from "../protocol/limits";
import { protocolVersion } from "../protocol/version";
import type { Connection } from "./connection";
import type { Kernel } from "./kernel";
import { TRAFFIC } from "./traffic";

/** Writes welcomes. The state is encoded once a number, whoever asks. */
export class Welcomes {
  #state: { seq: number; text: string } | undefined;
  /** Counted for tests. */
  encodings = 0;
  readonly #features: string;
  readonly #limits: string;

  constructor(private readonly kernel: Kernel) {
    const { kind, settings } = kernel.parts;
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
          ...kernel.rules.rates,
          ...(settings.actionRate ? [[TRAFFIC, settings.actionRate] as const] : []),
        ].map(([rule, { count, perMs }]) => [rule, { count, perMs }]),
      ),
    });
  }

  text(to: Connection, resumed: boolean, token: string | undefined): string {
    const { memory, parts, now } = this.kernel;
    const { user, name } = to.member;
    const you = { user, name, role: to.role, conn: to.id, ...(token === undefined ? {} : { token }) };
    const mine = this.#mine(user);
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
    const { seq, slices } = this.kernel.memory;
    if (this.#state?.seq !== seq) {
      this.#state = { seq, text: JSON.stringify(slices.state()) };
      this.encodings++;
    }
    return this.#state.text;
  }

  #mine(user: string): string | undefined {
    const own = [...this.kernel.features.keys()].map(
      (name) => [name, this.kernel.mine.of(name, user)] as const,
    );
    const some = own.filter(([, slice]) => slice !== undefined);
    return some.length > 0 ? JSON.stringify(Object.fromEntries(some)) : undefined;
  }
}
