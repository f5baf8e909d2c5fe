// Reads so many records of topics and prints what Confluent's deserializer makes of them, one JSON object a line.
//
// Arguments: brokers, address of the registry, file with the descriptors of the contract, number of records, topics.
// The deserializer is Confluent's; records are read by kafkajs, since Confluent's own client needs a native build.
const fs = require("node:fs");
const { createFileRegistry, fromBinary, toJson } = require("@bufbuild/protobuf");
const { FileDescriptorSetSchema } = require("@bufbuild/protobuf/wkt");
const { ProtobufDeserializer, SchemaRegistryClient, SerdeType } = require("@confluentinc/schemaregistry");
const { Kafka, logLevel } = require("kafkajs");

const [brokers, url, descriptors, count, ...topics] = process.argv.slice(2);
const contract = createFileRegistry(fromBinary(FileDescriptorSetSchema, fs.readFileSync(descriptors)));
const deserializer = new ProtobufDeserializer(new SchemaRegistryClient({ baseURLs: [url] }), SerdeType.VALUE, {
  subjectNameStrategyType: "TOPIC",
});
const plain = (event) => toJson(contract.getMessage(event.$typeName), event);

async function main() {
  const kafka = new Kafka({ brokers: [brokers], logLevel: logLevel.ERROR });
  const consumer = kafka.consumer({ groupId: "javascript" }); // reads what is committed
  await consumer.connect();
  await consumer.subscribe({ topics, fromBeginning: true });
  let frame;
  let left = Number(count);
  await new Promise((done, failed) => {
    consumer.run({
      autoCommit: false,
      eachMessage: async ({ topic, partition, message }) => {
        try {
          if (left === 0) return;
          const event = await deserializer.deserialize(topic, message.value, message.headers);
          console.log(JSON.stringify({ topic, partition, offset: Number(message.offset), value: plain(event) }));
          if (message.value[0] === 0) frame = [topic, message.value.subarray(0, 6)];
          if (--left === 0) done();
        } catch (e) {
          failed(e);
        }
      },
    });
  });
  if (frame) {
    // An event that says nothing is its frame and no more.
    console.log(JSON.stringify({ topic: "empty", value: plain(await deserializer.deserialize(...frame)) }));
  }
  await consumer.disconnect();
}

main().then(
  () => process.exit(0),
  (e) => {
    console.error(e);
    process.exit(1);
  },
);
