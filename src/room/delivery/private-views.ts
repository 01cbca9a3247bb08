import type { Json } from "../../protocol/messages";
import type { RoomContext } from "../commit/committer";
import type { Connection } from "./connection";
import type { Delivery } from "./delivery";

/** What one user alone is sent of each feature. A slice that cannot be made keeps nobody from the room. */
export class PrivateViews {
  constructor(private readonly context: RoomContext) {}

  viewFor(feature: string, user: string): Json | undefined {
    try {
      return this.context.state.slices.viewFor(feature, user);
    } catch (error) {
      this.context.host.report(`The private slice of ${feature} for ${user} failed`, error);
      return undefined;
    }
  }

  /** To those whose slices a frame changed, after it. */
  sendChanged(delivery: Delivery, feature: string, users: ReadonlySet<string>): void {
    for (const user of users) {
      if (delivery.ofUser(user).size === 0) continue;
      const slice = this.viewFor(feature, user);
      if (slice !== undefined) delivery.sendToUser(user, viewText(feature, slice));
    }
  }

  /** All of them, to a socket that may have missed some. */
  sendAll(delivery: Delivery, connection: Connection): void {
    for (const { name } of this.context.kind.features) {
      const slice = this.viewFor(name, connection.member.user);
      if (slice !== undefined) delivery.sendTo(connection, viewText(name, slice));
    }
  }
}

function viewText(feature: string, slice: Json): string {
  return JSON.stringify({ t: "mine", f: feature, d: slice });
}
