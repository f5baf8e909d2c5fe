// Reads kyc.session.v1 and keeps in SQLite what it decided: each event once, with its offset.

import { Kafka, logLevel, type Consumer } from "kafkajs";
import { handle } from "./handle.js";
import { Progress } from "./progress.js";
import { Store } from "./store.js";
import { line } from "./verdict.js";

const env = process.env;
const topic = env.KYC_TOPIC ?? "kyc.session.v1";
const sandbox = env.KYC_SANDBOX === "1";

const kafka = new Kafka({
  clientId: "accounts",
  brokers: (env.KYC_BROKERS ?? "127.0.0.1:9092").split(","),
  logLevel: logLevel.WARN,
});
const store = new Store(env.KYC_DB ?? "accounts.db");
const consumer = kafka.consumer({
  groupId: env.KYC_GROUP ?? "accounts",
  readUncommitted: false, // read_committed: events of aborted transactions stay hidden
  sessionTimeout: 6_000, // how long a killed process keeps its partitions
  heartbeatInterval: 2_000,
  maxWaitTimeInMs: 500, // a stop waits for the fetch under way
});

const stopped = new Promise<void>((resolve, reject) => {
  process.once("SIGINT", resolve).once("SIGTERM", resolve);
  consumer.on(consumer.events.CRASH, ({ payload }) => payload.restart || reject(payload.error));
});

/** Goes on where the database is; where it knows nothing, as the group and fromBeginning say. */
function assign(consumer: Consumer, partitions: number[]): void {
  for (const partition of partitions) {
    const next = store.nextOffset(topic, partition);
    if (next !== undefined) {
      consumer.seek({ topic, partition, offset: String(next) });
    }
  }
}

async function run(): Promise<void> {
  // In this event it is early enough: nothing is fetched before the listener returns.
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => assign(consumer, payload.memberAssignment[topic] ?? []));
  const progress = env.KYC_UNTIL_END === "1" ? await Progress.until(kafka, consumer, topic, store) : undefined;
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommit: false, // the offset is in the database, beside what it caused
    eachMessage: async (record) => {
      const verdict = handle(store, record, sandbox);
      if (verdict !== undefined) {
        console.log(line(verdict));
      }
    },
  });
  await (progress ? Promise.race([progress.done, stopped]) : stopped);
}

try {
  await run();
} finally {
  await consumer.disconnect();
  store.close();
}
