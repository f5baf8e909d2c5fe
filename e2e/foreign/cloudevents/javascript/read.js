// Reads so many records and prints each as the CloudEvents SDK for JavaScript sees it, a JSON object a line.
//
// node read.js BROKERS COUNT TOPIC...

import { Kafka as Binding } from "cloudevents";
import { Kafka, logLevel } from "kafkajs";

const wait = 30_000; // without a record, after which none is expected

const [brokers, count, ...topics] = process.argv.slice(2);
const kafka = new Kafka({ brokers: brokers.split(","), logLevel: logLevel.ERROR });
const consumer = kafka.consumer({ groupId: "cloudevents-javascript", readUncommitted: false, maxWaitTimeInMs: 500 });

/** The SDK takes headers and key as text, as it gives them; clients give bytes. */
function seen({ topic, partition, message }) {
  const headers = Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, value.toString()]));
  const event = Binding.toEvent({ headers, key: message.key.toString(), value: message.value });
  event.validate();
  const { data, data_base64, ...attributes } = event;
  return {
    topic,
    partition,
    offset: Number(message.offset),
    attributes,
    ...(Buffer.isBuffer(data) ? { base64: data.toString("base64") } : { json: data }),
  };
}

await consumer.connect();
await consumer.subscribe({ topics, fromBeginning: true });
let left = Number(count);
await new Promise((resolve, reject) => {
  const late = () => reject(new Error(`no record for ${wait} ms with ${left} of ${count} to come`));
  let timer = setTimeout(late, wait);
  consumer.run({
    autoCommit: false,
    eachMessage: async (record) => {
      if (left > 0) {
        timer.refresh();
        try {
          console.log(JSON.stringify(seen(record)));
        } catch (e) {
          reject(e);
        }
        if (--left === 0) {
          clearTimeout(timer);
          resolve();
        }
      }
    },
  });
});
await consumer.disconnect();
