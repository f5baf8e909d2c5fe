// When has a topic been read to the end it had at the start?

import type { Consumer, Kafka } from "kafkajs";
import type { Store } from "./store.js";

/**
 * The last offsets of a partition are markers of transactions, which are no
 * messages: the last message is never at the end. So the end is looked for in
 * the position, which kafkajs tells with every batch, those with nothing but
 * markers or aborted messages in them included.
 */
export class Progress {
  /** Resolves when every partition has been read to its end. */
  readonly done: Promise<void>;
  readonly #ahead: Map<number, bigint>;
  #finish: () => void = () => {};

  private constructor(ahead: Map<number, bigint>) {
    this.#ahead = ahead;
    this.done = new Promise((resolve) => (this.#finish = resolve));
    this.#look();
  }

  static async until(kafka: Kafka, consumer: Consumer, topic: string, store: Store): Promise<Progress> {
    const progress = new Progress(await endsAhead(kafka, topic, store));
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
      if (payload.topic === topic) {
        progress.#passed(payload.partition, BigInt(payload.lastOffset) + 1n);
      }
    });
    return progress;
  }

  #passed(partition: number, position: bigint): void {
    const end = this.#ahead.get(partition);
    if (end !== undefined && position >= end) {
      this.#ahead.delete(partition);
      this.#look();
    }
  }

  #look(): void {
    if (this.#ahead.size === 0) {
      this.#finish();
    }
  }
}

/** The present ends of the partitions that hold anything not read. */
async function endsAhead(kafka: Kafka, topic: string, store: Store): Promise<Map<number, bigint>> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const ahead = new Map<number, bigint>();
    for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
      if (BigInt(high) > (store.nextOffset(topic, partition) ?? BigInt(low))) {
        ahead.set(partition, BigInt(high));
      }
    }
    return ahead;
  } finally {
    await admin.disconnect();
  }
}
