interface ScheduledCall {
  at: number;
  order: number;
  run: (() => void | Promise<void>) | undefined;
}

/** Shortly before a midnight: points of two days are the rule. */
export const START = Date.UTC(2026, 8, 21, 23, 52);

/** The one clock of a simulation. Nothing happens but the calls scheduled here, in the order of their time. */
export class VirtualClock {
  now = START;
  #heap: ScheduledCall[] = [];
  #order = 0;

  /** Returns how to cancel it. */
  at(time: number, run: () => void | Promise<void>): () => void {
    const due: ScheduledCall = { at: Math.max(time, this.now), order: this.#order++, run };
    this.#push(due);
    return () => {
      due.run = undefined;
    };
  }

  in(ms: number, run: () => void | Promise<void>): () => void {
    return this.at(this.now + ms, run);
  }

  /** Lets time pass and runs due calls; stops where `isOver` says so. */
  async advance(ms: number, isOver: () => boolean): Promise<void> {
    const until = this.now + ms;
    for (let next = this.#heap[0]; next && next.at <= until && !isOver(); next = this.#heap[0]) {
      this.#pop();
      if (!next.run) continue;
      this.now = next.at;
      const done = next.run();
      if (done) await done;
    }
    if (!isOver()) this.now = until;
  }

  #push(due: ScheduledCall): void {
    const heap = this.#heap;
    let at = heap.push(due) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (isBefore(heap[above] as ScheduledCall, due)) break;
      heap[at] = heap[above] as ScheduledCall;
      at = above;
    }
    heap[at] = due;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as ScheduledCall;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1] as ScheduledCall, heap[below] as ScheduledCall))
        below++;
      if (isBefore(last, heap[below] as ScheduledCall)) break;
      heap[at] = heap[below] as ScheduledCall;
      at = below;
    }
    heap[at] = last;
  }
}

function isBefore(a: ScheduledCall, b: ScheduledCall): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
