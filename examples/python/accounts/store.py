"""The database: what was read, what was decided, and how far."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple

from accounts.verdict import Verdict

SCHEMA = """
CREATE TABLE IF NOT EXISTS inbox(
  event_id TEXT PRIMARY KEY, topic TEXT, partition INTEGER, offset INTEGER);
CREATE TABLE IF NOT EXISTS offsets(
  topic TEXT, partition INTEGER, next INTEGER, PRIMARY KEY(topic, partition));
CREATE TABLE IF NOT EXISTS decisions(
  event_id TEXT PRIMARY KEY, endpoint TEXT, subject TEXT, customer_reference TEXT, decision TEXT,
  finality TEXT, acted TEXT, occurred_at TEXT, received_at TEXT);
CREATE TABLE IF NOT EXISTS rejected(
  topic TEXT, partition INTEGER, offset INTEGER, why TEXT, PRIMARY KEY(topic, partition, offset));
"""

Place = tuple[str, int, int]
"""Topic, partition and offset of a record."""


class Store:
    def __init__(self, path: str) -> None:
        # Transactions are begun by hand, so that it is plain what is in one.
        self._db = sqlite3.connect(path, isolation_level=None, timeout=30)
        self._db.execute("PRAGMA journal_mode = WAL")
        # A power cut may undo the last transactions, each as a whole: their records are read again.
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(SCHEMA)

    def next_offset(self, topic: str, partition: int) -> int | None:
        """The offset to go on from, or None for a partition that was never read."""
        query = "SELECT next FROM offsets WHERE topic = ? AND partition = ?"
        row = self._db.execute(query, (topic, partition)).fetchone()
        return row and row[0]

    @contextmanager
    def transaction(self, place: Place) -> Iterator[None]:
        """All that a record causes, and that it was read: both or neither."""
        topic, partition, offset = place
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute(
                # Never back, should a member that lost the partition come late with its last record.
                "INSERT INTO offsets VALUES(?, ?, ?)"
                " ON CONFLICT DO UPDATE SET next = max(next, excluded.next)",
                (topic, partition, offset + 1),
            )
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def is_new(self, event_id: str, place: Place) -> bool:
        """Takes the event into the inbox. One that is there already is no error: it would stop its
        partition for ever."""
        query = "INSERT INTO inbox VALUES(?, ?, ?, ?) ON CONFLICT DO NOTHING"
        return self._db.execute(query, (event_id, *place)).rowcount == 1

    def decide(self, verdict: Verdict) -> None:
        query = "INSERT INTO decisions VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)"
        self._db.execute(query, astuple(verdict))

    def reject(self, place: Place, why: str) -> None:
        query = "INSERT INTO rejected VALUES(?, ?, ?, ?) ON CONFLICT DO NOTHING"
        self._db.execute(query, (*place, why))

    def close(self) -> None:
        self._db.close()
