"""Wraps the generated client: retries, errors as exceptions, pages and the lines of an export."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, TypeVar

import httpx
from customer_profiles import AuthenticatedClient
from customer_profiles.api.history import list_history
from customer_profiles.api.notes import create_note
from customer_profiles.api.profiles import export_profile
from customer_profiles.models import (
    ExportEnd,
    ExportItem,
    ExportStart,
    GatewayMessage,
    HistoryPage,
    NewNote,
    Note,
    Problem,
)
from customer_profiles.types import UNSET, Response, Unset

TIMEOUT_SECONDS = 35.0
"""API Gateway ends a request after 30 s."""
MAX_ATTEMPTS = 5

T = TypeVar("T")


class ApiError(Exception):
    """An error response. `problem` is None if API Gateway or a proxy returned it instead of the service."""

    def __init__(self, response: Response[Any]) -> None:
        self.status = int(response.status_code)
        self.problem: Problem | None = None
        text = response.content.decode(errors="replace")
        if isinstance(response.parsed, Problem):
            self.problem = response.parsed
            text = f"{self.problem.type_.value}: {self.problem.detail}"
        elif isinstance(response.parsed, GatewayMessage):
            text = response.parsed.message
        super().__init__(f"{self.status} {text}")


class RetryTransport(httpx.HTTPTransport):
    """Sends requests. Repeats them after 429 and 5xx, at most four times."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        for attempt in range(MAX_ATTEMPTS - 1):
            response = super().handle_request(request)
            if response.status_code != 429 and response.status_code < 500:
                return response
            response.close()
            time.sleep(float(response.headers.get("Retry-After") or 2**attempt))
        return super().handle_request(request)


def connect(base_url: str, token: str) -> AuthenticatedClient:
    """Creates a client. The local stack accepts every token."""
    timeout = httpx.Timeout(TIMEOUT_SECONDS)
    return AuthenticatedClient(base_url, token, timeout=timeout, httpx_args={"transport": RetryTransport()})


def expect(response: Response[Any], model: type[T]) -> T:
    """Returns the body of a response, which must be a `model`. Raises `ApiError` if it has an error status."""
    if isinstance(response.parsed, model):
        return response.parsed
    raise ApiError(response)


def history_pages(client: AuthenticatedClient, id: str, **filters: Any) -> Iterator[HistoryPage]:
    """Yields the pages of the history, newest event first. A page can be empty before the end.

    `filters` are the parameters of `list_history`, such as `limit`, `type_` or `channel`.
    """
    cursor: str | Unset | None = UNSET
    while cursor is not None:
        page = expect(list_history.sync_detailed(id, client=client, cursor=cursor, **filters), HistoryPage)
        yield page
        cursor = page.next_


def export_lines(
    client: AuthenticatedClient, id: str, limit: int = 100
) -> Iterator[ExportStart | ExportItem | ExportEnd]:
    """Yields the lines of an export: the start, the items, and the end of each page."""
    cursor: str | Unset | None = UNSET
    while cursor is not None:
        text = expect(export_profile.sync_detailed(id, client=client, limit=limit, cursor=cursor), str)
        cursor = None
        for line in filter(None, text.split("\n")):
            fields = json.loads(line)
            if "header" in fields:
                yield ExportStart.from_dict(fields)
            elif "identity" in fields:
                yield ExportItem.from_dict(fields)
            else:
                end = ExportEnd.from_dict(fields)
                cursor = end.next_
                yield end


def leave_note(client: AuthenticatedClient, id: str, key: str, note: NewNote) -> Note:
    """Adds a note. Send the same key to repeat the request: the service stores one note per key for 24 hours."""
    return expect(create_note.sync_detailed(id, client=client, body=note, idempotency_key=key), Note)
