"""What a SessionEvent says, and what is done about it."""

from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from kyc.v1.event_pb2 import (
    DECISION_APPROVED,
    DECISION_DECLINED,
    DECISION_INCOMPLETE,
    DECISION_REVIEW,
    DECISION_UNDETERMINED,
    DECISION_UNSPECIFIED,
    ENVIRONMENT_LIVE,
    Decision,
)
from kyc.v1.session_pb2 import FINALITY_PRELIMINARY, Finality, SessionEvent

ACTIONS = {
    DECISION_APPROVED: "open",
    DECISION_DECLINED: "refuse",
    DECISION_REVIEW: "ask",
    DECISION_INCOMPLETE: "ask",
    DECISION_UNDETERMINED: "ask",
}


@dataclass(frozen=True)
class Verdict:
    """A row of the table decisions."""

    event_id: str
    endpoint: str
    subject: str
    customer_reference: str
    decision: str
    finality: str
    acted: str
    occurred_at: str
    received_at: str

    def __str__(self) -> str:
        who = f"{self.endpoint}/{self.subject} {self.customer_reference}"
        return f"{self.decision} {self.finality} {who} -> {self.acted}"


def verdict_of(event_id: str, key: str, event: SessionEvent, sandbox: bool) -> Verdict | None:
    """The verdict of an event, or None where it has none. The key is `<endpoint>/<subject>`."""
    if event.decision == DECISION_UNSPECIFIED:
        return None
    metadata = event.metadata
    return Verdict(
        event_id=event_id,
        endpoint=metadata.endpoint,
        subject=key.partition("/")[2],
        customer_reference=metadata.subject.customer_reference,
        decision=word(Decision, event.decision),
        finality=word(Finality, event.finality),
        acted=action(event, sandbox),
        occurred_at=instant(metadata.occurred_at) if metadata.HasField("occurred_at") else "",
        received_at=instant(metadata.received_at),
    )


def action(event: SessionEvent, sandbox: bool) -> str:
    """What to do: nothing for a test, an unknown verdict, one that may change, or no known customer."""
    if event.metadata.environment != ENVIRONMENT_LIVE and not sandbox:
        return "sandbox"
    if event.decision not in ACTIONS:
        return "unknown"
    if event.finality == FINALITY_PRELIMINARY:
        return "wait"
    if not event.metadata.subject.customer_reference:
        return "no reference"
    return ACTIONS[event.decision]


def word(enum, number: int) -> str:
    """The name of an enum's value without the enum's own: APPROVED for DECISION_APPROVED.

    A number that this code does not know comes from a newer kycbridge. `Decision.Name(number)` raises
    ValueError for it, so it must not be called without looking first.
    """
    names = enum.DESCRIPTOR.values_by_number
    if number not in names:
        return f"UNKNOWN_{number}"
    return names[number].name.removeprefix(names[0].name.removesuffix("UNSPECIFIED"))


def instant(t: Timestamp) -> str:
    """RFC 3339 with all digits that there are; ToDatetime would drop nanoseconds."""
    fraction = f".{t.nanos:09}".rstrip("0").rstrip(".")
    return f"{datetime.fromtimestamp(t.seconds, UTC):%Y-%m-%dT%H:%M:%S}{fraction}Z"
