type Listener = (news: never) => void;

/** Listeners by topic. One that throws does not stop the others. */
export class Listeners {
  readonly #byTopic = new Map<string, Set<{ listener: Listener }>>();

  /** Returns a function that removes the listener. */
  add(topic: string, listener: Listener): () => void {
    const all = this.#byTopic.get(topic) ?? new Set();
    this.#byTopic.set(topic, all);
    // A listener that is added twice is called twice and has to be removed twice.
    const entry = { listener };
    all.add(entry);
    return () => void all.delete(entry);
  }

  emit(topic: string, value: unknown): void {
    for (const { listener } of [...(this.#byTopic.get(topic) ?? [])]) {
      try {
        listener(value as never);
      } catch (error) {
        // As with DOM events: the error is reported as uncaught, and the other listeners still run.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
