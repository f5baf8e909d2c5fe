import contextlib
import io
import unittest

from google.protobuf.timestamp_pb2 import Timestamp

from accounts.check import Checker
from accounts.verdict import instant, verdict_of
from kyc.v1.event_pb2 import (
    DECISION_APPROVED,
    DECISION_DECLINED,
    DECISION_REVIEW,
    ENVIRONMENT_LIVE,
    ENVIRONMENT_SANDBOX,
)
from kyc.v1.session_pb2 import FINALITY_FINAL, FINALITY_PRELIMINARY, SessionEvent


def event(**fields) -> SessionEvent:
    e = SessionEvent(decision=DECISION_APPROVED, finality=FINALITY_FINAL)
    e.metadata.endpoint = "shop"
    e.metadata.environment = fields.pop("environment", ENVIRONMENT_LIVE)
    e.metadata.subject.customer_reference = fields.pop("customer", "customer-42")
    e.MergeFrom(SessionEvent(**fields))
    return e


class Verdicts(unittest.TestCase):
    def test_lines(self):
        for sandbox, e, line in [
            (False, event(), "APPROVED FINAL shop/a/b customer-42 -> open"),
            (False, event(decision=DECISION_DECLINED), "DECLINED FINAL shop/a/b customer-42 -> refuse"),
            (False, event(decision=DECISION_REVIEW), "REVIEW FINAL shop/a/b customer-42 -> ask"),
            (False, event(decision=99), "UNKNOWN_99 FINAL shop/a/b customer-42 -> unknown"),
            (False, event(finality=99), "APPROVED UNKNOWN_99 shop/a/b customer-42 -> open"),
            (False, event(finality=FINALITY_PRELIMINARY), "APPROVED PRELIMINARY shop/a/b customer-42 -> wait"),
            (False, event(customer=""), "APPROVED FINAL shop/a/b  -> no reference"),
            (False, event(environment=ENVIRONMENT_SANDBOX), "APPROVED FINAL shop/a/b customer-42 -> sandbox"),
            (False, event(environment=99), "APPROVED FINAL shop/a/b customer-42 -> sandbox"),
            (True, event(environment=ENVIRONMENT_SANDBOX), "APPROVED FINAL shop/a/b customer-42 -> open"),
        ]:
            with self.subTest(line):
                self.assertEqual(str(verdict_of("id", "shop/a/b", e, sandbox)), line)

    def test_no_decision(self):
        self.assertIsNone(verdict_of("id", "shop/a", SessionEvent(), False))

    def test_instants(self):
        for nanos, text in [(0, "2026-01-02T03:04:05Z"), (120_000_000, "2026-01-02T03:04:05.12Z"), (1, "2026-01-02T03:04:05.000000001Z")]:
            self.assertEqual(instant(Timestamp(seconds=1_767_323_045, nanos=nanos)), text)


class Checks(unittest.TestCase):
    def test_all_or_none(self):
        for fraction, valid, cost in [(1, False, "checked 1 of 1 events"), (0, True, "")]:
            checker, said = Checker(fraction, SessionEvent), io.StringIO()
            self.assertEqual(checker.is_valid(SessionEvent()), valid)
            with contextlib.redirect_stderr(said):
                checker.report()
            self.assertEqual(said.getvalue().partition(",")[0], cost)


if __name__ == "__main__":
    unittest.main()
