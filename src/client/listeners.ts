type Listener = (news: never) => void;

/** Who wants to hear of what. One that throws keeps nobody else from hearing. */
export class Listeners {
  readonly #byTopic = new Map<string, Set<{ listener: Listener }>>();

  /** Answers what ends it. */
  add(topic: string, listener: Listener): () => void {
    const all = this.#byTopic.get(topic) ?? new Set();
    this.#byTopic.set(topic, all);
    // Added twice, it is called twice and ended twice.
    const entry = { listener };
    all.add(entry);
    return () => void all.delete(entry);
  }

  emit(topic: string, value: unknown): void {
    for (const { listener } of [...(this.#byTopic.get(topic) ?? [])]) {
      try {
        listener(value as never);
      } catch (error) {
        // As an event of the browser's own would do with it: told, and nothing else stops.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
