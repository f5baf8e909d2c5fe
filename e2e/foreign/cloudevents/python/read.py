"""Reads so many records and prints each as the CloudEvents SDK for Python sees it, a JSON object a line.

read.py BROKERS COUNT TOPIC...
"""

import base64
import json
import sys

from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from confluent_kafka import Consumer
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

WAIT = 30  # seconds without a record after which none is expected


def main(brokers: str, count: str, *topics: str) -> None:
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "cloudevents-python",
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.metrics.push": False,
        }
    )
    consumer.subscribe(list(topics))
    for n in range(int(count)):
        message = consumer.poll(WAIT)
        if message is None:
            sys.exit(f"no record for {WAIT} s after {n} of {count}")
        if message.error():
            sys.exit(f"after {n} records: {message.error()}")
        print(json.dumps(seen(message)))
    consumer.close()


def seen(message) -> dict:
    headers = dict(message.headers())
    event = from_binary_event(KafkaMessage(headers, message.key(), message.value()))
    attributes = event.get_attributes()
    attributes["time"] = attributes["time"].isoformat()  # the only attribute that is no text
    return {
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "attributes": attributes,
        "trace": trace_id(headers),
    } | data(event)


def data(event) -> dict:
    """The SDK parses JSON. Of protobuf it makes text where the bytes happen to be UTF-8."""
    value = event.get_data()
    if isinstance(value, dict):
        return {"json": value}
    raw = value.encode() if isinstance(value, str) else value
    return {"base64": base64.b64encode(raw).decode()}


def trace_id(headers: dict) -> str:
    """What OpenTelemetry's propagator reads from the record."""
    carrier = {name: value.decode() for name, value in headers.items()}
    context = TraceContextTextMapPropagator().extract(carrier)
    return trace.format_trace_id(trace.get_current_span(context).get_span_context().trace_id)


main(*sys.argv[1:])
