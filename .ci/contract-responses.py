"""Hooks of Schemathesis: count the responses of each operation, and fail if one never succeeds.

The counts of requests with `preview` are separate, because they change nothing.
"""
import atexit
import collections
import itertools
import os
import sys

import jsonschema_rs
import schemathesis
import yaml

# The example that `.ci/contract.py` puts into the contract.
KEY = "contract-key"
PREVIEW = " (preview)"
# Rules between values, which no schema can express. A body that breaks one is a 400 although it matches the schema.
RULES = (b"cannot be linked to itself", b"is needed to reinstate", b"A part is missing", b"must contain each of the", b"contains another number")
# The import of `.ci/contract.py` to revert and replay. The other imports are sample data that other requests read.
OPERATIONS = ("POST /imports/{id}/revert", "POST /imports/{id}/replay")
# The service accepts these as numbers too, as their descriptions state.
NUMBERS = ("Mobile", "Part", "RecordId", "SearchOrder")

numbers = itertools.count()
counts = collections.defaultdict(collections.Counter)
with open("infra/openapi.yaml", encoding="utf-8") as file:
    contract = yaml.safe_load(file)
schemas = contract["components"]["schemas"]
for name in NUMBERS:
    schemas[name] = {"anyOf": [schemas[name], {"type": "number"}]}
bodies = {}
for path, methods in contract["paths"].items():
    for method, operation in methods.items():
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            schema = schema | {"components": contract["components"]}
            bodies[f"{method.upper()} {path}"] = jsonschema_rs.Draft202012Validator(schema)


@schemathesis.hook
def before_init_operation(context, operation):
    """Names every operation, also one without a request."""
    counts[operation.label]
    if any(parameter.name == "preview" for parameter in operation.query):
        counts[operation.label + PREVIEW]


@schemathesis.hook
def filter_case(context, case):
    """Drops a body that only the narrower schemas of `.ci/contract.py` reject."""
    parts = case.meta.components.items() if case.meta else []
    if [place.value for place, part in parts if part.mode.is_negative] != ["body"] or case.media_type != "application/json":
        return True
    body = bodies[case.operation.label]
    return not isinstance(case.body, dict) or not body.is_valid(case.body)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Sends a new idempotency key, except for every eighth request: a key that was used for another request is 409.

    Does not revert the sample data.
    """
    if case.operation.label in OPERATIONS:
        parameters = case.operation.schema.raw_schema["components"]["parameters"]
        if case.path_parameters["id"] in parameters["importId"]["schema"]["anyOf"][0]["enum"]:
            case.path_parameters["id"] = parameters["wholeId"]["example"]
    number = next(numbers)
    if (case.headers or {}).get("Idempotency-Key") == KEY and number % 8:
        case.headers["Idempotency-Key"] = f"contract-{number}"


@schemathesis.hook
def after_call(context, case, response):
    if response.status_code == 400 and any(rule in response.content for rule in RULES):
        response.status_code = 409
    is_preview = str((case.query or {}).get("preview")).lower() == "true"
    counts[case.operation.label + (PREVIEW if is_preview else "")][response.status_code] += 1


@atexit.register
def report():
    """Prints the counts by status. The status of the process is 1 if an operation has none of 2xx."""
    unreached = []
    for name, statuses in sorted(counts.items()):
        print(f"{name}: " + ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items())))
        if not name.endswith(PREVIEW) and not any(200 <= status < 300 for status in statuses):
            unreached.append(name)
    if unreached:
        print("no request succeeded: " + ", ".join(unreached))
        sys.stdout.flush()
        os._exit(1)
