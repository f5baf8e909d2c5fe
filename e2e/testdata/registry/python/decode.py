"""Reads so many records of topics and prints what Confluent's deserializer makes of them, one JSON object a line.

Arguments: brokers, address of the registry, file with the descriptors of the contract, number of records, and for each
topic its name, '=' and the full name of its message.
"""

import json
import sys

from confluent_kafka import Consumer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

brokers, url, descriptors, count, *topics = sys.argv[1:]
messages = dict(topic.split("=") for topic in topics)
conf = {"use.deprecated.format": False}
registry = SchemaRegistryClient({"url": url})

pool = descriptor_pool.DescriptorPool()
with open(descriptors, "rb") as file:
    for one in descriptor_pb2.FileDescriptorSet.FromString(file.read()).file:
        pool.Add(one)
classes = {t: message_factory.GetMessageClass(pool.FindMessageTypeByName(m)) for t, m in messages.items()}
asking = {t: ProtobufDeserializer(c, conf, registry) for t, c in classes.items()}
alone = {t: ProtobufDeserializer(c, conf) for t, c in classes.items()}  # takes the message on trust

consumer = Consumer({
    "bootstrap.servers": brokers, "group.id": "python", "auto.offset.reset": "earliest",
    "enable.auto.commit": False, "isolation.level": "read_committed",
})
consumer.subscribe(list(messages))
frame = None
for _ in range(int(count)):
    record = None
    while record is None:
        record = consumer.poll(1)
    if record.error():
        sys.exit(str(record.error()))
    context = SerializationContext(record.topic(), MessageField.VALUE, record.headers())
    event = asking[record.topic()](record.value(), context)
    if event != alone[record.topic()](record.value(), context):
        sys.exit("without a registry, %s says something else" % record.topic())
    if record.value()[0] == 0:
        frame = record.topic(), record.value()[:6]
    print(json.dumps({
        "topic": record.topic(), "partition": record.partition(), "offset": record.offset(),
        "value": json_format.MessageToDict(event, preserving_proto_field_name=False),
    }))
consumer.close()
if frame:  # an event that says nothing is its frame and no more
    topic, value = frame
    event = asking[topic](value, SerializationContext(topic, MessageField.VALUE))
    print(json.dumps({"topic": "empty", "value": json_format.MessageToDict(event)}))
