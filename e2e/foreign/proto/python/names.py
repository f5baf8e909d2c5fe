"""Prints what a program in Python finds: the enums with their words, and a session read from base64."""

import base64
import importlib
import json
import pathlib
import sys

sys.path.insert(0, sys.argv[1])
enums = {}
for file in sorted(pathlib.Path(sys.argv[1], "kyc", "v1").glob("*_pb2.py")):
    module = importlib.import_module("kyc.v1." + file.stem)
    for enum in module.DESCRIPTOR.enum_types_by_name.values():
        enums[enum.full_name] = getattr(module, enum.name).keys()

from kyc.v1 import event_pb2, session_pb2  # noqa: E402

read = session_pb2.SessionEvent.FromString(base64.b64decode(sys.argv[2]))
known = read.decision in event_pb2.Decision.values()
print(json.dumps({
    "enums": enums,
    "read": {
        "id": read.metadata.event_id,
        "offset": str(read.metadata.raw.offset),
        "started": read.transition == session_pb2.SESSION_TRANSITION_STARTED,
        "word": event_pb2.Decision.Name(read.decision) if known else str(read.decision),
    },
}))
