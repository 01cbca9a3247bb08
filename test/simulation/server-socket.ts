import { serialize } from "node:v8";
import type { PlatformConnection } from "../../src/platforms/socket-peer";
import { MAX_NOTE_BYTES } from "../support/memory-runtime";
import type { Link } from "./link";
import type { Process } from "./process";
import { StreamChecker } from "./stream-checker";

/** A socket as its object's platform holds it: what it is sent goes through the object's gate. */
export class ServerSocket implements PlatformConnection {
  state: unknown = null;
  isOpen = true;
  isGone = false;
  /** When the platform last answered a ping for the room. */
  pongedAt: number | undefined;
  /** Checks what has left the gate against the durable history. */
  readonly stream: StreamChecker;

  constructor(
    readonly id: string,
    readonly user: string,
    readonly process: Process,
    readonly link: Link,
  ) {
    this.stream = new StreamChecker(this);
  }

  send(text: string): void {
    if (!this.isOpen || this.process.isDead)
      throw new TypeError("The socket cannot be sent to after it was closed.");
    this.stream.onQueued(text);
    this.process.runtime.release(() => {
      if (this.isGone) return;
      this.stream.onSent(text);
      this.link.sendDown(text);
    });
  }

  close(code: number, reason: string): void {
    if (this.isGone) throw new TypeError("The socket is gone.");
    if (!this.isOpen) return;
    this.isOpen = false;
    this.process.runtime.release(() => {
      if (!this.isGone) this.link.closeFromRoom(code, reason);
    });
  }

  setState(note: unknown): void {
    const bytes = serialize(note).byteLength;
    if (bytes > MAX_NOTE_BYTES) throw new RangeError(`a note of ${bytes} bytes`);
    this.state = JSON.parse(JSON.stringify(note));
  }

  /** The connection is cut without a notice at this end. */
  cut(): void {
    this.isOpen = false;
    this.isGone = true;
    this.process.sockets.delete(this);
    this.link.cut();
  }

  /** The platform has noticed that its other end is gone. */
  async onGone(): Promise<void> {
    if (this.isGone) return;
    this.isOpen = false;
    this.isGone = true;
    this.process.sockets.delete(this);
    await this.process.deliver((host) => host.disconnected(this));
  }
}
