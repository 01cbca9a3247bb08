import type { Json } from "../protocol/messages";
import type { Connection } from "./connection";
import type { Delivery } from "./delivery";
import type { Parts } from "./kernel";

/** What one user alone is sent of each feature. A slice that cannot be made keeps nobody from the room. */
export class PrivateSlices {
  constructor(private readonly parts: Parts) {}

  of(feature: string, user: string): Json | undefined {
    try {
      return this.parts.memory.slices.mine(feature, user);
    } catch (error) {
      this.parts.world.report(`The private slice of ${feature} for ${user} failed`, error);
      return undefined;
    }
  }

  /** To those whose slices a frame changed, after it. */
  tell(delivery: Delivery, feature: string, users: ReadonlySet<string>): void {
    for (const user of users) {
      if (delivery.of(user).size === 0) continue;
      const slice = this.of(feature, user);
      if (slice !== undefined) delivery.tell(user, mineText(feature, slice));
    }
  }

  /** All of them, to a socket that may have missed some. */
  sendTo(delivery: Delivery, connection: Connection): void {
    for (const { name } of this.parts.kind.features) {
      const slice = this.of(name, connection.member.user);
      if (slice !== undefined) delivery.direct(connection, mineText(name, slice));
    }
  }
}

function mineText(feature: string, slice: Json): string {
  return JSON.stringify({ t: "mine", f: feature, d: slice });
}
