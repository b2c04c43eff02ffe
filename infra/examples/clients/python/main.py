"""Looks up a customer, pages the history, exports the data and leaves a note."""

from __future__ import annotations

import os
import sys

from client import ApiError, connect, expect, export_lines, history_pages, leave_note
from customer_profiles.api.profiles import lookup_profile
from customer_profiles.models import (
    EmailIdentifier,
    ExportItem,
    ExportStart,
    LookupProfileIncludeItem,
    NewNote,
    Profile,
    PurchaseEvent,
    Redacted,
    Summary,
)


def shown(value: str | Redacted | None) -> str:
    """Returns a value that can be hidden from tokens without the scope `pii:read`."""
    if value is None:
        return "(none)"
    return value if isinstance(value, str) else "(hidden)"


def main(email: str) -> None:
    client = connect(os.environ.get("API_URL", "http://127.0.0.1:3000"), os.environ.get("TOKEN", "local"))

    # 1. Look up the customer. The identifier is in the body, and `include` names the sections to return.
    include = [LookupProfileIncludeItem.SUMMARY]
    response = lookup_profile.sync_detailed(client=client, body=EmailIdentifier(email), include=include)
    profile = expect(response, Profile)
    orders = profile.summary.orders if isinstance(profile.summary, Summary) else 0
    print(f"{profile.id} {shown(profile.name)}: {orders} orders")

    # 2. Page the history. The class of an event names its kind, and the field that contains the event's data.
    pages = events = lines = 0
    for page in history_pages(client, profile.id, limit=10):
        pages += 1
        events += len(page.items)
        lines += sum(len(event.purchase.products) for event in page.items if isinstance(event, PurchaseEvent))
    print(f"{events} events on {pages} pages, with {lines} lines of purchases")

    # 3. Export the data. Each line is a start, an item or an end.
    items = 0
    for line in export_lines(client, profile.id):
        if isinstance(line, ExportStart):
            print(f"export of {line.header.profile} for {line.header.purposes}")
        items += isinstance(line, ExportItem)
    print(f"{items} items")

    # 4. Leave a note. The key names this note, so that a repeated request does not add a second one.
    note = leave_note(client, profile.id, "conversation-31-note-2", NewNote("Prefers a message."))
    print(f"note {note.id} by {note.author}")


if __name__ == "__main__":
    try:
        main(sys.argv[1] if len(sys.argv) > 1 else "minh.mokoena.0@example.com")
    except ApiError as error:
        sys.exit(str(error))
