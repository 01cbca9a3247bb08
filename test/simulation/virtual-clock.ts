interface Due {
  at: number;
  order: number;
  run: (() => void | Promise<void>) | undefined;
}

/** Shortly before a midnight: points of two days are the rule. */
export const START = Date.UTC(2026, 8, 21, 23, 52);

/** The one clock of a simulated world. Nothing happens in it but what stands here, in the order of its time. */
export class VirtualClock {
  now = START;
  #heap: Due[] = [];
  #order = 0;

  /** Answers how to call it off. */
  at(time: number, run: () => void | Promise<void>): () => void {
    const due: Due = { at: Math.max(time, this.now), order: this.#order++, run };
    this.#push(due);
    return () => {
      due.run = undefined;
    };
  }

  in(ms: number, run: () => void | Promise<void>): () => void {
    return this.at(this.now + ms, run);
  }

  /** Lets time pass, and what is due meanwhile happen; stops where `isOver` says so. */
  async pass(ms: number, isOver: () => boolean): Promise<void> {
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

  #push(due: Due): void {
    const heap = this.#heap;
    let at = heap.push(due) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (isBefore(heap[above] as Due, due)) break;
      heap[at] = heap[above] as Due;
      at = above;
    }
    heap[at] = due;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Due;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1] as Due, heap[below] as Due)) below++;
      if (isBefore(last, heap[below] as Due)) break;
      heap[at] = heap[below] as Due;
      at = below;
    }
    heap[at] = last;
  }
}

function isBefore(a: Due, b: Due): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
