"""Reads kyc.session.v1 and keeps in SQLite what it decided: each event once, with its offset."""

import os
import signal
import sys

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from google.protobuf.message import DecodeError

from accounts.check import Checker
from accounts.store import Store
from accounts.verdict import Verdict, verdict_of
from kyc.v1.session_pb2 import SessionEvent

BROKERS = os.environ.get("KYC_BROKERS", "127.0.0.1:9092")
GROUP = os.environ.get("KYC_GROUP", "accounts")
TOPIC = os.environ.get("KYC_TOPIC", "kyc.session.v1")
DATABASE = os.environ.get("KYC_DB", "accounts.db")
SANDBOX = os.environ.get("KYC_SANDBOX") == "1"
UNTIL_END = os.environ.get("KYC_UNTIL_END") == "1"
VALIDATE = float(os.environ.get("KYC_VALIDATE", "1"))


def main() -> None:
    store, checker = Store(DATABASE), Checker(VALIDATE, SessionEvent)
    consumer = Consumer(
        {
            "bootstrap.servers": BROKERS,
            "group.id": GROUP,
            "isolation.level": "read_committed",  # without it, events of aborted transactions come too
            "enable.auto.commit": False,  # the offset is in the database, beside what it caused
            "auto.offset.reset": "earliest",
            "session.timeout.ms": 6000,  # how long a killed process keeps its partitions
            "enable.partition.eof": UNTIL_END,
            "enable.metrics.push": False,
        }
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        consumer.subscribe([TOPIC], on_assign=lambda c, partitions: assign(c, store, partitions))
        consume(consumer, store, checker)
    except KeyboardInterrupt:
        pass
    finally:
        consumer.close()
        store.close()
        checker.report()


def assign(consumer: Consumer, store: Store, partitions: list[TopicPartition]) -> None:
    """Goes on where the database is; where it knows nothing, as the group and auto.offset.reset say."""
    for p in partitions:
        known = store.next_offset(p.topic, p.partition)
        if known is not None:
            p.offset = known
    consumer.assign(partitions)


def consume(consumer: Consumer, store: Store, checker: Checker) -> None:
    ahead = ends(consumer) if UNTIL_END else None
    while ahead is None or ahead:
        message = consumer.poll(0.5)
        if message is None:
            continue
        if message.error() is None:
            verdict = handle(store, checker, message)
            if verdict:
                print(verdict, flush=True)
        elif message.error().fatal():
            raise KafkaException(message.error())
        elif message.error().code() != KafkaError._PARTITION_EOF:
            print(message.error(), file=sys.stderr)  # the client goes on trying
            continue
        if ahead is not None:
            passed(ahead, message)


def handle(store: Store, checker: Checker, message: Message) -> Verdict | None:
    """One record, in one transaction. What cannot be used is noted and stops nothing."""
    place = (message.topic(), message.partition(), message.offset())
    # Every record of kycbridge has this id; the same event always has the same.
    event_id = (dict(message.headers() or []).get("ce_id") or b"").decode(errors="replace")
    with store.transaction(place):
        if not event_id:
            store.reject(place, "no id")
            return None
        if not store.is_new(event_id, place):
            return None
        try:
            event = SessionEvent.FromString(message.value() or b"")
        except DecodeError:
            store.reject(place, "undecodable")
            return None
        if not checker.is_valid(event):
            store.reject(place, "invalid")
            return None
        key = (message.key() or b"").decode(errors="replace")
        verdict = verdict_of(event_id, key, event, SANDBOX)
        if verdict:
            store.decide(verdict)
        return verdict


def ends(consumer: Consumer) -> dict[int, int]:
    """Where each partition ends now, for those that hold anything."""
    topic = consumer.list_topics(TOPIC, timeout=30).topics[TOPIC]
    if topic.error:
        raise KafkaException(topic.error)
    marks = {p: consumer.get_watermark_offsets(TopicPartition(TOPIC, p), timeout=30) for p in topic.partitions}
    return {p: high for p, (low, high) in marks.items() if low < high}


def passed(ahead: dict[int, int], message: Message) -> None:
    """Takes out a partition whose end was reached. The last offsets are markers of transactions, which
    are no messages: only the end of the partition says that they were read."""
    at_end = message.error() is not None
    position = message.offset() if at_end else message.offset() + 1
    if position >= ahead.get(message.partition(), position + 1):
        del ahead[message.partition()]


if __name__ == "__main__":
    main()
