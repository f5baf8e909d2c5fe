"""Holds JSON values against the schemas of a folder, as a consumer in Python would.

Reads {"schema": ..., "name": ..., "value": ...} a line, and writes {"name": ..., "wrong": [...]} a line, with the
places in the value that break the schema, in order.
"""

import json
import pathlib
import sys

from jsonschema import Draft202012Validator

validators = {}
for file in sorted(pathlib.Path(sys.argv[1]).glob("*.schema.json")):
    schema = json.loads(file.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    validators[schema["$id"]] = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)

for line in sys.stdin:
    case = json.loads(line)
    wrong = sorted({error.json_path + " " + error.validator for error in validators[case["schema"]].iter_errors(case["value"])})
    print(json.dumps({"name": case["name"], "wrong": wrong}))
