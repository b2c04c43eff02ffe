#!/usr/bin/env python3
"""Prints the contract as JSON with ids of a customer in the stack, and without cursors.

usage: contract.py API ID CONTRACT
"""
import json
import sys
import urllib.request

import yaml

api, profile_id, path = sys.argv[1:]


def ask(method, route, body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(api + route, data, {"content-type": "application/json", **headers}, method=method)
    with urllib.request.urlopen(request) as response:
        return json.load(response)


contract = yaml.safe_load(open(path, encoding="utf-8"))
profile = ask("GET", f"/profiles/{profile_id}")
note = ask("POST", f"/profiles/{profile['id']}/notes", {"text": "Left for the contract's test."}, **{"idempotency-key": "contract"})
parameters = contract["components"]["parameters"]
parameters["id"]["example"] = profile["id"]
parameters["eventId"]["example"] = profile["history"]["items"][0]["id"]
parameters["noteId"]["example"] = note["id"]
del parameters["cursor"]
del contract["components"]["schemas"]["AttributeSearch"]["properties"]["cursor"]
del contract["components"]["schemas"]["ProfileBatch"]["properties"]["cursor"]
for search in contract["components"]["schemas"]["ProfileSearch"]["oneOf"]:
    del search["properties"]["cursor"]
# What patterns that every engine reads cannot express: which characters are letters (here those of some scripts), how many
# bytes they are (64 characters are never more than 256), and which values are placeholders.
letters = r"0-9A-Za-z\u00c0-\u00d6\u4e00-\u9fff"
schemas = contract["components"]["schemas"]
atom = rf"[{letters}!#$%&'*+/=?^_`{{|}}~\-]{{1,8}}"
label = rf"[{letters}][{letters}\-]{{0,6}}[{letters}]"
schemas["Email"]["pattern"] = rf"^\s*x{atom}(\.{atom})?@{label}(\.{label})+\s*$"
schemas["Email"]["maxLength"] = 64
schemas["EmailSha256"]["pattern"] = r"^\s*1a[0-9A-Fa-f]{62}\s*$"
schemas["EmailMd5"]["pattern"] = r"^\s*1a[0-9A-Fa-f]{30}\s*$"
schemas["Mobile"]["pattern"] = r"^\s*(\+|00)?61[ ./-]?4[0-9]{2}[ ./-]?[0-9]{6}\s*$"
schemas["RecordId"] |= {"maxLength": 64, "pattern": rf"^\s*C[{letters} _#./+-]*[{letters}]\s*$"}
schemas["Part"]["maxLength"] = 64
schemas["SearchName"] |= {"maxLength": 64, "pattern": rf"^\s*Cx[{letters} .'-]*$"}
schemas["SearchOrder"] |= {"maxLength": 64, "pattern": rf"^\s*#?C[{letters} _#./+-]*[{letters}]\s*$"}
contract.pop("security", None)
for methods in contract["paths"].values():
    for operation in methods.values():
        # The local stack requires no token; API Gateway's authorizer does.
        operation.pop("security", None)
        operation["parameters"] = [p for p in operation.get("parameters", []) if not p["$ref"].endswith("/cursor")]
json.dump(contract, sys.stdout)
