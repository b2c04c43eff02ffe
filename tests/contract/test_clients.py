"""The generated Python client against the local stack with the rows of `rows/`: see `.ci/clients`.

usage: API_URL=http://… PYTHONPATH=infra/examples/clients/python python3 tests/contract/test_clients.py
"""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import threading
import unittest
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import attrs
import customer_profiles.models as models
from client import ApiError, connect, expect, export_lines, history_pages, leave_note
from customer_profiles.api.history import list_history
from customer_profiles.api.links import link_identity, list_links, separate_identity, unlink_identity
from customer_profiles.api.notes import delete_note, edit_note, get_note
from customer_profiles.api.profiles import (
    batch_profiles,
    create_profile,
    get_profile,
    list_attributes,
    lookup_profile,
    search_attributes,
    search_profiles,
)
from customer_profiles.models import (
    Agent,
    AttributePage,
    AttributeSearch,
    BatchPage,
    CandidatePage,
    Card,
    ExportEnd,
    ExportItem,
    ExportStart,
    GeneralEvent,
    HistoryPage,
    Identity,
    JsonObject,
    Link,
    LinkOutcome,
    LinkPage,
    LinkRemoval,
    LookupProfileIncludeItem,
    NewNote,
    NewProfile,
    Note,
    NoteChange,
    Profile,
    ProfileBatch,
    PurchaseEvent,
    Redacted,
    Summary,
)

API_URL = os.environ.get("API_URL", "http://127.0.0.1:3000")
EMAIL = "client@example.com"
UNKNOWN = "a" * 26
PROBLEM = {
    "type": "/problems/forbidden",
    "title": "Permission denied",
    "status": 403,
    "detail": "The token lacks the scope `profiles:read`. Request a token that has it.",
    "request_id": "JKJaXmPLvHcESHA=",
}
# Maps of any names. All other objects of the test's rows have only fields that the contract names.
MAPS = ("JsonObject", "ProfileAttributes", "ProfileAttributesNext", "InvalidFields")

client = connect(API_URL, "local")


def lookup(identifier: Any, **parameters: Any) -> Profile:
    return expect(lookup_profile.sync_detailed(client=client, body=identifier, **parameters), Profile)


@contextmanager
def gateway(replies: list[tuple[int, str, str, dict[str, str]]]) -> Iterator[tuple[str, list[str]]]:
    """Runs a server that returns `replies` one after another. Yields its URL and the paths of its requests."""
    paths: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, kind, body, headers = replies[len(paths)]
            paths.append(self.path)
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        do_POST = do_GET

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", paths
    finally:
        server.shutdown()
        server.server_close()


def comparable(value: Any) -> Any:
    """Returns a JSON value with its times as `datetime`, since a client may write them with another offset."""
    if isinstance(value, dict):
        return {name: comparable(field) for name, field in value.items()}
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if isinstance(value, str) and len(value) > 18 and value[10] == "T":
        return datetime.fromisoformat(value)
    return value


def unnamed_fields(value: Any, path: str = "") -> Iterator[str]:
    """Yields the paths of fields that the contract does not name."""
    if isinstance(value, list):
        for item in value:
            yield from unnamed_fields(item, path)
    elif attrs.has(type(value)):
        name = type(value).__name__
        if not name.startswith(MAPS):
            for field in getattr(value, "additional_properties", {}):
                yield f"{path}.{field}"
        for attribute in attrs.fields(type(value)):
            if attribute.name != "additional_properties":
                yield from unnamed_fields(getattr(value, attribute.name), f"{path}.{attribute.name}")


class ClientTest(unittest.TestCase):
    def assert_fails(self, call: Callable[[], Any], status: int, kind: str | None) -> ApiError:
        with self.assertRaises(ApiError) as raised:
            call()
        error = raised.exception
        problem = error.problem.type_.value if error.problem else None
        self.assertEqual((error.status, problem), (status, kind and f"/problems/{kind}"), str(error))
        return error

    def test_looks_up_each_kind_of_identifier(self) -> None:
        found = lookup(models.EmailIdentifier(EMAIL)).id
        identifiers = [
            models.EmailSha256Identifier(hashlib.sha256(EMAIL.encode()).hexdigest()),
            models.EmailMd5Identifier("0a0f6f3a1b5b4c0f9e8d7c6b5a493827"),
            models.MobileIdentifier("+61 491 579 931"),
            models.CustomerIdIdentifier("C-31", "pos"),
            models.ExternalIdIdentifier("X-31", "loyalty"),
        ]
        for identifier in identifiers:
            self.assertEqual(lookup(identifier).id, found, identifier)

    def test_returns_the_named_sections(self) -> None:
        include = [LookupProfileIncludeItem.SUMMARY, LookupProfileIncludeItem.NOTES]
        profile = lookup(models.EmailIdentifier(EMAIL), include=include, consistent=True)
        assert isinstance(profile.summary, Summary)
        self.assertEqual(profile.summary.orders, 1)
        self.assertTrue(profile.notes)
        self.assertFalse(profile.attributes)

    def test_loses_nothing(self) -> None:
        profile = lookup(models.EmailIdentifier(EMAIL))
        for response in (
            get_profile.sync_detailed(profile.id, client=client),
            list_history.sync_detailed(profile.id, client=client),
            list_attributes.sync_detailed(profile.id, client=client, limit=100),
        ):
            parsed: Any = response.parsed
            self.assertEqual(comparable(parsed.to_dict()), comparable(json.loads(response.content)))
            self.assertEqual(list(unnamed_fields(parsed)), [])

    def test_pages_the_history_to_its_end(self) -> None:
        profile = lookup(models.EmailIdentifier(EMAIL))
        pages = list(history_pages(client, profile.id, limit=5))
        events = [event for page in pages for event in page.items]
        self.assertEqual((len({event.id for event in events}), len({type(event) for event in events}), len(pages)), (12, 12, 3))
        [purchase] = [event.purchase for event in events if isinstance(event, PurchaseEvent)]
        self.assertEqual(purchase.products[0].price_paid, "31.90")
        assert isinstance(purchase.custom_fields, JsonObject)
        self.assertEqual(purchase.custom_fields.to_dict(), {"is_gift": True, "tags": ["a", {"b": [1, [2]]}], "nothing": None})
        [general] = [event.event for event in events if isinstance(event, GeneralEvent)]
        assert isinstance(general.properties, JsonObject)
        self.assertEqual(general.properties["points"], 80)
        types = [models.EventType.PURCHASE, models.EventType.RETURN]
        [page] = history_pages(client, profile.id, type_=types)
        self.assertEqual([event.type_ for event in page.items], ["return", "purchase"])

    def test_exports_to_the_end(self) -> None:
        profile = lookup(models.EmailIdentifier(EMAIL))
        lines = list(export_lines(client, profile.id, limit=5))
        assert isinstance(lines[0], ExportStart)
        self.assertEqual(lines[0].header.profile, profile.id)
        items = [line for line in lines if isinstance(line, ExportItem)]
        self.assertEqual(len({(item.identity, item.key) for item in items}), len(items))
        self.assertGreater(len(items), 15)
        self.assertEqual(lines[-1], ExportEnd(next_=None, partial=False))
        self.assertEqual(list(unnamed_fields(lines)), [])

    def test_reads_values_of_attributes_and_their_categories(self) -> None:
        profile = lookup(models.EmailIdentifier(EMAIL))
        page = expect(list_attributes.sync_detailed(profile.id, client=client, category="kinds"), AttributePage)
        self.assertEqual({item.category for item in page.items}, {"kinds"})
        values = {item.name: item.value for item in page.items}
        self.assertEqual(values["integer"], 9007199254740993)
        self.assertEqual((values["number"], values["flag"], values["list"]), (12.5, True, ["a", 1, False]))
        search = AttributeSearch("KINDS scored")
        found = expect(search_attributes.sync_detailed(profile.id, client=client, body=search), AttributePage)
        self.assertEqual([(item.value, item.confidence) for item in found.items], [("knitwear", 1.4)])

    def test_leaves_changes_and_deletes_a_note(self) -> None:
        id = lookup(models.EmailIdentifier(EMAIL)).id
        note = leave_note(client, id, "python-1", NewNote("Prefers a message."))
        self.assertFalse(note.pinned)
        self.assertEqual(leave_note(client, id, "python-1", NewNote("Prefers a message.")), note)
        other = NewNote("Prefers a call.")
        self.assert_fails(lambda: leave_note(client, id, "python-1", other), 409, "idempotency-key-reused")

        def change(etag: str) -> Note:
            body = NoteChange(pinned=True)
            return expect(edit_note.sync_detailed(id, note.id, client=client, body=body, if_match=etag), Note)

        change(note.etag)
        self.assert_fails(lambda: change(note.etag), 412, "note-changed")
        # As the problem document says: read the note again, and send its new `etag`.
        current = expect(get_note.sync_detailed(id, note.id, client=client), Note)
        self.assertTrue(current.pinned)
        deleted = delete_note.sync_detailed(id, note.id, client=client, if_match=current.etag)
        self.assertEqual(deleted.status_code, 204)
        self.assert_fails(lambda: leave_note(client, id, "python-1", NewNote("Prefers a message.")), 409, "note-deleted")

    def test_finds_a_customer_by_an_order_and_by_values_of_the_record(self) -> None:
        id = lookup(models.EmailIdentifier(EMAIL)).id
        searches: list[tuple[Any, str]] = [
            (models.OrderSearch("1042"), "order"),
            (models.OrderSearch("W-1"), "order"),
            (models.NameSearch("klient, CLARA"), "name"),
            (models.EmailSearch(EMAIL), "email"),
            (models.MobileSearch("+61 491 579 931"), "mobile"),
            (models.CustomerIdSearch("C-31"), "customer_id"),
        ]
        for search, kind in searches:
            response = search_profiles.sync_detailed(client=client, body=search)
            page = expect(response, CandidatePage)
            self.assertEqual(comparable(page.to_dict()), comparable(json.loads(response.content)))
            self.assertEqual(list(unnamed_fields(page)), [])
            [found] = [item for item in page.items if item.id == id]
            self.assertIn(kind, {match.kind.value for match in found.matched_by})
            self.assertEqual(found.name, "Clara Klient")

    def test_reads_the_header_figures_of_several_profiles(self) -> None:
        id = lookup(models.EmailIdentifier(EMAIL)).id
        body = ProfileBatch([models.ProfileId(UNKNOWN), models.EmailIdentifier(EMAIL)])
        response = batch_profiles.sync_detailed(client=client, body=body)
        page = expect(response, BatchPage)
        self.assertEqual(comparable(page.to_dict()), comparable(json.loads(response.content)))
        unknown, known = page.items
        self.assertIsNone(unknown.profile)
        assert isinstance(known.profile, Card)
        self.assertEqual((known.profile.id, known.profile.relationship), (id, "customer"))

    def test_creates_a_profile_and_names_the_identity_of_a_look_up_that_finds_nothing(self) -> None:
        identifier = models.EmailIdentifier("python@example.com")
        missing = self.assert_fails(lambda: lookup(identifier), 404, "profile-not-found")
        body = NewProfile(identifier, first_name="Vera", last_name="Lindt")
        created = create_profile.sync_detailed(client=client, body=body, idempotency_key="python-1")
        profile = expect(created, Profile)
        self.assertEqual((created.status_code, profile.name), (201, "Vera Lindt"))
        self.assertEqual(profile.id, missing.problem and missing.problem.id)
        # The profile exists already, so nothing changes.
        again = create_profile.sync_detailed(client=client, body=body, idempotency_key="python-2")
        self.assertEqual((again.status_code, expect(again, Profile).id), (200, profile.id))

    def test_says_why_a_look_up_may_have_found_nothing(self) -> None:
        id = lookup(models.EmailIdentifier(EMAIL)).id
        missing = self.assert_fails(lambda: lookup(models.CustomerIdIdentifier("C-31")), 404, "profile-not-found")
        assert missing.problem and missing.problem.hints
        [hint] = missing.problem.hints
        assert isinstance(hint.identity, Identity)
        self.assertEqual((hint.code, hint.profile, hint.identity.type_), ("in_record", id, "email"))

    def test_links_an_identity_withdraws_the_decision_and_separates_the_identity(self) -> None:
        id = lookup(models.EmailIdentifier(EMAIL)).id

        def link(key: str, preview: bool) -> LinkOutcome:
            body = models.IdentifierLink(models.MobileIdentifier("+61 491 579 933"), "Called from this phone")
            response = link_identity.sync_detailed(id, client=client, body=body, preview=preview, idempotency_key=key)
            outcome = expect(response, LinkOutcome)
            self.assertEqual(comparable(outcome.to_dict()), comparable(json.loads(response.content)))
            self.assertEqual(list(unnamed_fields(outcome)), [])
            return outcome

        def agents() -> list[Link]:
            response = list_links.sync_detailed(id, client=client, limit=100)
            page = expect(response, LinkPage)
            self.assertEqual(comparable(page.to_dict()), comparable(json.loads(response.content)))
            return [item for item in page.items if item.source == "agents" and item.live]

        preview = link("python-3", True)
        [other] = preview.changes.identities.added
        self.assertEqual(agents(), [])
        linked = link("python-3", False)
        preview.profile.as_of = linked.profile.as_of
        self.assertEqual(linked, preview)
        self.assertIn(other, {identity.id for identity in linked.profile.identities})

        [decision] = agents()
        self.assertEqual((decision.reason, decision.counts), ("Called from this phone", True))
        assert isinstance(decision.by, Agent)

        def withdraw(key: str, etag: str) -> LinkOutcome:
            call = unlink_identity.sync_detailed
            return expect(call(id, decision.id, client=client, idempotency_key=key, if_match=etag), LinkOutcome)

        self.assert_fails(lambda: withdraw("python-4", '"stale"'), 412, "link-changed")
        withdrawn = withdraw("python-5", decision.etag).changes
        self.assertEqual([(change.before, change.after) for change in withdrawn.links], [("linked", None)])
        self.assertEqual(withdrawn.identities.removed, [other])

        link("python-6", False)
        reason = LinkRemoval("The phone of a friend")
        response = separate_identity.sync_detailed(id, other, client=client, body=reason, idempotency_key="python-7")
        separated = expect(response, LinkOutcome)
        self.assertEqual([change.after for change in separated.changes.links], ["separated"])
        self.assertNotIn(other, {identity.id for identity in separated.profile.identities})

    def test_raises_problem_documents(self) -> None:
        self.assert_fails(lambda: lookup(models.EmailIdentifier("nobody@example.com")), 404, "profile-not-found")
        error = self.assert_fails(lambda: list(history_pages(client, UNKNOWN, limit=0)), 400, "invalid-parameter")
        self.assertEqual(error.problem and error.problem.field, "limit")

    def test_raises_errors_of_the_service_and_of_api_gateway(self) -> None:
        replies: list[tuple[int, str, str, dict[str, str]]] = [
            (403, "application/problem+json", json.dumps(PROBLEM), {}),
            (403, "application/json", '{"message":"Forbidden"}', {}),
            (404, "application/json", '{"message":"Not Found"}', {}),
        ]
        with gateway(replies) as (url, _):
            expired = connect(url, "expired")
            self.assert_fails(lambda: list(history_pages(expired, UNKNOWN)), 403, "forbidden")
            error = self.assert_fails(lambda: list(history_pages(expired, UNKNOWN)), 403, None)
            self.assertEqual(str(error), "403 Forbidden")
            self.assert_fails(lambda: list(history_pages(expired, UNKNOWN)), 404, None)

    def test_repeats_requests_that_are_throttled_or_fail(self) -> None:
        time = "2026-01-01T00:00:00Z"
        note = {"id": "n", "text": "Call", "pinned": False, "author": "a", "created_at": time, "updated_at": time, "etag": '"e"'}
        replies = [
            (429, "application/json", '{"message":"Too Many Requests"}', {"Retry-After": "1"}),
            (503, "application/json", '{"message":"Service Unavailable"}', {}),
            (201, "application/json", json.dumps(note), {}),
        ]
        with gateway(replies) as (url, paths):
            left = leave_note(connect(url, "token"), UNKNOWN, "key", NewNote("Call"))
            self.assertEqual((left.text, len(paths)), ("Call", 3))

    def test_hidden_values_are_redacted(self) -> None:
        hidden = {"redacted": True}
        data = {"purchase_id": hidden, "products": [], "currency": "AUD", "custom_fields": hidden, "invalid_fields": hidden}
        event = {"id": "e", "at": "2026-01-01T00:00:00Z", "title": "Bought", "identity": UNKNOWN, "account": hidden}
        page = HistoryPage.from_dict({"items": [{**event, "type": "purchase", "purchase": data}], "next": None})
        [bought] = page.items
        assert isinstance(bought, PurchaseEvent)
        purchase = bought.purchase
        for value in (bought.account, purchase.purchase_id, purchase.custom_fields, purchase.invalid_fields):
            self.assertIsInstance(value, Redacted)

    def test_every_value_has_a_type(self) -> None:
        untyped = [
            f"{name}.{field.name}"
            for name in models.__all__
            if attrs.has(getattr(models, name))
            for field in attrs.fields(getattr(models, name))
            # An array within an array has items of any type.
            if field.name != "additional_properties" and "Any" in str(field.type).replace("list[Any]", "")
        ]
        self.assertEqual(untyped, [])


if __name__ == "__main__":
    unittest.main()
