"""The contract's own rules, checked where events come in, and what that costs."""

import random
import sys
import time

import protovalidate
from google.protobuf.message import Message


class Checker:
    """Checks a fraction of the events: 1 all, 0.01 one in a hundred, 0 none."""

    REPORT_EVERY = 1000

    def __init__(self, fraction: float, kind: type[Message]) -> None:
        protovalidate.collect_violations(kind())  # compiles the rules, which takes as long as many checks
        self._fraction = fraction
        self._seen = self._checked = 0
        self._seconds = 0.0

    def is_valid(self, message: Message) -> bool:
        self._seen += 1
        valid = random.random() >= self._fraction or self._check(message)
        if self._seen % self.REPORT_EVERY == 0:
            self.report()
        return valid

    def _check(self, message: Message) -> bool:
        begun = time.perf_counter()
        # The violations say which rule and field; they hold no value, so they may be logged.
        violations = protovalidate.collect_violations(message)
        self._seconds += time.perf_counter() - begun
        self._checked += 1
        return not violations

    def report(self) -> None:
        if self._checked:
            mean = self._seconds / self._checked * 1e6
            print(
                f"checked {self._checked} of {self._seen} events, {mean:.0f} µs each",
                file=sys.stderr,
            )
