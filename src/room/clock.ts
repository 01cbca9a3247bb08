/**
 * A room's time. It never goes back, and it goes on when the machine's clock was set back (or another machine, which is
 * behind, restored the room): by how much it is ahead is kept, and taken off wherever the machine is told a time.
 */
export class RoomClock {
  ahead = 0;

  constructor(public now: number) {}

  /** Answers by how much the machine's clock has gone back since the last reading. */
  read(machine: number): number {
    const back = Math.max(0, this.now - (machine + this.ahead));
    this.ahead += back;
    this.now = machine + this.ahead;
    return back;
  }
}
