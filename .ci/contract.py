#!/usr/bin/env python3
"""Prints the contract as JSON with ids of a customer in the stack, and without cursors.

Gives the customer notes and decisions about links, and erases another one.

usage: contract.py API DROP ID CONTRACT
"""
import json
import sys
import time
import urllib.error
import urllib.request

import yaml

api, drop, profile_id, path = sys.argv[1:]
NOTES = 40
DECISIONS = 8
ERASED = "erased@example.com"


def ask(method, route, body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(api + route, data, {"content-type": "application/json", **headers}, method=method)
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def erase(email):
    """Creates a customer, drops the file that erases it, and waits until it is gone."""
    identifier = {"email": email}
    ask("POST", "/profiles", {"identifier": identifier}, **{"idempotency-key": "contract"})
    # The time of a file has whole seconds, and an erasure applies to everything that is not newer.
    time.sleep(1)
    row = json.dumps({"link": identifier}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{drop}/forget/contract/erased.ndjson", row, method="PUT")).close()
    for _ in range(60):
        try:
            ask("POST", "/profiles/lookup", identifier)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return
        time.sleep(1)
    sys.exit(f"{email} was not erased")


def reference(name):
    return {"$ref": f"#/components/schemas/{name}"}


def mix(schema, values):
    """Half of the generated values are those of the stack."""
    return {"anyOf": [{"enum": values}, schema]}


contract = yaml.safe_load(open(path, encoding="utf-8"))
profile = ask("GET", f"/profiles/{profile_id}")
purchases = ask("GET", f"/profiles/{profile_id}/history?type=purchase")["items"]
orders = [event["purchase"] for event in purchases]
values = {identity["type"]: identity for identity in profile["identities"]}

erase(ERASED)
# Notes to change and to delete, and decisions to withdraw. Requests that separate and link again follow each other.
notes = []
for number in range(NOTES):
    key = {"idempotency-key": f"contract-note-{number}"}
    notes.append(ask("POST", f"/profiles/{profile['id']}/notes", {"text": "Left for the contract's test."}, **key)["id"])
for number in range(DECISIONS):
    body = {"identifier": {"customer_id": f"C-{number}", "system_name": "contract"}, "reason": "Linked for the contract's test."}
    ask("POST", f"/profiles/{profile['id']}/links", body, **{"idempotency-key": f"contract-link-{number}"})
members = [identity["id"] for identity in ask("GET", f"/profiles/{profile_id}")["identities"]]
links = ask("GET", f"/profiles/{profile_id}/links?limit=100")["items"]

# An upload whose file has a rejected row, and a multipart upload.
rows = b'{"link":{"email":"kim@example.com"},"first_name":"Kim"}\nno row\n'
body = {"file_name": "contract.ndjson", "type": "customer_record", "source": "contract", "size": len(rows)}
whole = ask("POST", "/imports", body, **{"idempotency-key": "contract-whole"})
put = urllib.request.Request(whole["upload"]["url"], rows, whole["upload"]["headers"], method="PUT")
urllib.request.urlopen(put).close()
in_parts = body | {"size": 100_000_001, "try": True}
parts = ask("POST", "/imports", in_parts, **{"idempotency-key": "contract-parts"})
complete = ask("POST", "/imports", in_parts, **{"idempotency-key": "contract-complete"})
tags = []
for part in ask("POST", f"/imports/{complete['id']}/parts", {"numbers": [1, 2]})["items"]:
    size = complete["upload"]["part_size"]
    blank = b"\n" * (size if part["number"] == 1 else in_parts["size"] - size)
    put = urllib.request.Request(part["url"], blank, part["headers"], method="PUT")
    with urllib.request.urlopen(put) as response:
        tags.append({"number": part["number"], "etag": response.headers["etag"]})
imports = [item["id"] for item in ask("GET", "/imports")["items"]]

parameters = contract["components"]["parameters"]
schemas = contract["components"]["schemas"]


def give(name, values, example=None):
    """Generates `values` for half of the requests, and the example for a parameter on which another depends."""
    parameters[name] |= {"example": example or values[0], "schema": mix(parameters[name]["schema"], values)}


parameters["member"] = dict(parameters["id"])
give("id", [profile["id"]])
give("member", members)
give("eventId", [event["id"] for event in purchases])
give("noteId", notes)
give("linkId", [link["id"] for link in links])
give("identityId", members[1:])
for name, upload in (("partsId", parts), ("completeId", complete), ("wholeId", whole)):
    parameters[name] = dict(parameters["importId"])
    give(name, [upload["id"]])
give("importId", imports)
give("ifMatch", ["*"])
give("ifMatchLink", ["*", links[0]["etag"]])
# Most requests change something.
parameters["preview"]["example"] = parameters["previewRevert"]["example"] = False
for key in ("changeKey", "idempotencyKey", "operationKey", "uploadKey"):
    # `.ci/contract-responses.py` replaces it.
    parameters[key]["example"] = "contract-key"
del parameters["cursor"]
del schemas["AttributeSearch"]["properties"]["cursor"]
del schemas["ProfileBatch"]["properties"]["cursor"]
for search in schemas["ProfileSearch"]["oneOf"]:
    del search["properties"]["cursor"]
# Rules that portable patterns cannot express: which characters are letters (here those of some scripts), the length in bytes
# (patterns have bounds, because the contract's lengths count whitespace), and which values are placeholders.
letters = r"0-9A-Za-z\u00c0-\u00d6\u4e00-\u9fff"
atom = rf"[{letters}!#$%&'*+/=?^_`{{|}}~\-]{{1,8}}"
label = rf"[{letters}][{letters}\-]{{0,6}}[{letters}]"
schemas["Email"]["pattern"] = rf"^\s{{0,2}}x{atom}(\.{atom})?@{label}(\.{label}){{1,3}}\s{{0,2}}$"
schemas["EmailSha256"]["pattern"] = r"^\s*1a[0-9A-Fa-f]{62}\s*$"
schemas["EmailMd5"]["pattern"] = r"^\s*1a[0-9A-Fa-f]{30}\s*$"
schemas["Mobile"]["pattern"] = r"^\s*(\+|00)?61[ ./-]?4[0-9]{2}[ ./-]?[0-9]{6}\s*$"
schemas["RecordId"]["pattern"] = rf"^\s{{0,2}}C[{letters} _#./+-]{{0,50}}[{letters}]\s{{0,2}}$"
schemas["Part"]["pattern"] = rf"^\s{{0,2}}[{letters}][{letters} _#./+-]{{0,50}}[{letters}]\s{{0,2}}$"
schemas["SearchName"]["pattern"] = rf"^\s{{0,2}}Cx[{letters} .'-]{{0,50}}$"
schemas["SearchOrder"]["pattern"] = rf"^\s{{0,2}}#?C[{letters} _#./+-]{{0,50}}[{letters}]\s{{0,2}}$"
schemas["FileName"]["pattern"] = rf"^[{letters}][{letters} +._-]{{0,50}}[{letters}]$"
schemas["ImportSource"]["pattern"] = r"^c[a-z0-9_-]{0,60}$"
# Any other name may be that of a mapping.
schemas["ImportType"] = {"anyOf": [{"enum": ["auto", "customer_record", "forget", "mixed", "purchase"]}, {"type": "string", "pattern": "^c[a-z0-9-]{0,60}$"}]}
schemas["PartNumbers"]["properties"]["numbers"]["items"]["maximum"] = 2
# Values that find a profile.
hits = {
    "Email": [values["email"]["value"], ERASED],
    "Mobile": [values["mobile"]["value"]],
    "RecordId": [values["customer_id"]["value"]],
    "Part": [values["customer_id"]["system_name"]],
    "SearchName": [profile["name"]],
    "SearchOrder": [purchase[field] for purchase in orders for field in ("order_number", "purchase_id") if field in purchase],
}
for name, found in hits.items():
    schemas[name] = mix(schemas[name], found)
for owner, field in ((schemas["NewLink"]["oneOf"][0], "identity"), (schemas["ProfileName"]["oneOf"][0], "id")):
    owner["properties"][field] = mix(reference("Id"), members)

contract.pop("security", None)
for path, name in (("/imports/{id}/parts", "partsId"), ("/imports/{id}/complete", "completeId")):
    contract["paths"][path]["post"]["parameters"] = [{"$ref": f"#/components/parameters/{name}"}]
# A schema cannot express which ETag S3 returned for which part.
contract["paths"]["/imports/{id}/complete"]["post"]["requestBody"]["content"]["application/json"]["example"] = {"parts": tags}
# Reverts must not delete the sample data, which other requests read.
for path in ("/imports/{id}/revert", "/imports/{id}/replay"):
    contract["paths"][path]["post"]["parameters"][0] = {"$ref": "#/components/parameters/wholeId"}
for methods in contract["paths"].values():
    for operation in methods.values():
        # The local stack requires no token; API Gateway's authorizer does.
        operation.pop("security", None)
        operation["parameters"] = [p for p in operation.get("parameters", []) if not p["$ref"].endswith("/cursor")]
        if operation["tags"] == ["links"]:
            for parameter in operation["parameters"]:
                if parameter["$ref"].endswith("/id"):
                    parameter["$ref"] = "#/components/parameters/member"
json.dump(contract, sys.stdout)
