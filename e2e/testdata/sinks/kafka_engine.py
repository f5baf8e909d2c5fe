"""Runs what docs/sinks.md has for ClickHouse's Kafka engine in chDB, and prints what the tables count.

kafka_engine.py FOLDER EVENTS: FOLDER has the page's files, the topic so many events. It is run in the folder of the .proto files.
"""

import os
import sys
import time

from chdb import session

folder, events = sys.argv[1], int(sys.argv[2])
db = session.Session(os.path.join(folder, "queue"))


def run(name):
    with open(os.path.join(folder, name)) as file:
        for statement in filter(str.strip, file.read().split(";\n")):
            try:
                answer = db.query(statement, "TSV")
            except RuntimeError as error:
                if "Shutdown was called" not in str(error):
                    raise
    return str(answer)


def count(table):
    return int(str(db.query(f"SELECT uniqExact(event_id) FROM {table}", "TSV")))


run("queue.sql")
run("jsonqueue.sql")
deadline = time.monotonic() + 60
while min(count("session_rows"), count("json_rows")) < events and time.monotonic() < deadline:
    time.sleep(0.1)
print(run("rows.sql"), end="")
print(db.query("SELECT decision, count() FROM json_rows FINAL GROUP BY decision ORDER BY decision", "TSV"), end="")

# A number that the .proto files do not know: decision, field 3, is 99.
with open(os.path.join(folder, "unknown.bin"), "wb") as file:
    file.write(bytes([3 << 3, 99]))
for column in ("Int32", "String"):
    try:
        print(db.query(
            f"SELECT * FROM file('{folder}/unknown.bin', ProtobufSingle, 'decision {column}')"
            " SETTINGS format_schema = 'kyc/v1/session.proto:SessionEvent'", "TSV"), end="")
    except RuntimeError as error:
        print("Could not convert value '99'" if "Could not convert value '99'" in str(error) else error)
sys.stdout.flush()
os._exit(0)  # without waiting for the consumers
