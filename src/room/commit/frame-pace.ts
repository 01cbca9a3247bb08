import { FRAME_MS_PER_PEER, MAX_FRAME_MS, MAX_STRETCHED_FRAME_MS, MIN_FRAME_MS } from "../../protocol/limits";

/**
 * How long a frame gathers. A deployed worker cannot measure its own work, for its clock stands still meanwhile; but a
 * timer that comes late tells that the room was busy, and by how much.
 */
export class FramePace {
  #lateMs = 0;

  /** The window for so many peers, widened while the room runs late. */
  windowMs(peers: number): number {
    // Timers are whole milliseconds, and so is the window.
    const calm = Math.min(Math.floor(MIN_FRAME_MS + peers * FRAME_MS_PER_PEER), MAX_FRAME_MS);
    return Math.min(calm + this.#lateMs * 2, MAX_STRETCHED_FRAME_MS);
  }

  /**
   * Told how late a frame's timer fired; 0 where none was needed, for where talk is sparse no timer may ever tell that the room
   * is not late any more. Timers are whole milliseconds, so the first two are no sign.
   */
  fired(lateMs: number): void {
    // A clock that stepped ahead makes a timer look hours late.
    const late = Math.min(Math.max(0, lateMs - 2), MAX_STRETCHED_FRAME_MS);
    this.#lateMs += (late - this.#lateMs) * (late > this.#lateMs ? 0.5 : 0.1);
  }
}
