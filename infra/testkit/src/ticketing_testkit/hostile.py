"""Sends the worst input that fits into a request to every route that a service documents, and measures its cost."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from urllib.parse import quote

from bson import encode as encode_bson
from fastapi import FastAPI
from starlette.types import Message, Scope

from ticketing_common.storage import WITHOUT_EVENTS, Database

from .hostile_texts import HEADERS, bodies, forms, header_values, json_values, queries, texts

__all__ = ["Attempt", "Outcome", "attempts", "findings", "fingerprint", "send"]

LARGEST: Final = 62_000
"""Bytes; below the limit of a body, so that what is measured is the reading."""
BUSY_SECONDS: Final = 0.25
"""Processor time of the loop's thread for one request. A plain body of 64 KB takes a few milliseconds."""
STREAM_SECONDS: Final = 20.0
PERHAPS_RIGHT: Final = frozenset({"one parameter again and again", "a large exponent"})
"""Query strings that some parameter may take."""
UNKNOWN_ID: Final = "a" * 24
NOT_STATE: Final = frozenset({"idempotency_keys", "leases", "system.profile"})
"""Collections that hold no effect of a request: answers for repeating, and leases of background work."""


Headers: TypeAlias = Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request; `refused` says that nothing but a refusal may come of it."""

    operation: str
    place: str
    text: str
    method: str
    path: str
    query: bytes = b""
    headers: Headers = field(default_factory=dict)
    body: bytes = b""
    refused: bool = True

    def __str__(self) -> str:
        return f"{self.operation}: {self.text} in {self.place}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt; `busy_seconds` is the processor time of the thread with the event loop."""

    attempt: Attempt
    status: int
    content_type: str
    busy_seconds: float

    def fault(self) -> str | None:
        """What is wrong with it, if anything is."""
        if self.busy_seconds > BUSY_SECONDS:
            return f"kept the event loop busy for {self.busy_seconds:.2f} s"
        if self.status >= 500 or self.status == 0:
            return f"was answered with {self.status}"
        if self.attempt.refused and self.status < 400:
            return f"was accepted with {self.status}"
        if self.status >= 400 and self.content_type != "application/problem+json":
            return f"was refused as {self.content_type}"
        return None


def attempts(app: FastAPI, token: str, *, size: int = LARGEST) -> Iterator[Attempt]:
    """Every place of every documented operation, with every text; a new route is among them by itself."""
    document = app.openapi()
    signed_in = {b"authorization": f"Bearer {token}".encode()}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield from _of_operation(document, path, method.upper(), operation, signed_in, size)


def _of_operation(
    document: dict[str, Any], path: str, method: str, operation: dict[str, Any], signed_in: Headers, size: int
) -> Iterator[Attempt]:
    parameters: list[dict[str, Any]] = operation.get("parameters", [])
    contents: dict[str, Any] = operation.get("requestBody", {}).get("content", {})
    as_json = {**signed_in, b"content-type": b"application/json"}

    def attempt(place: str, text: str, headers: Headers = as_json, body: bytes = b"{}", **changes: Any) -> Attempt:
        usual = {"path": path.replace("{id}", UNKNOWN_ID), "refused": bool(contents), **changes}
        return Attempt(operation["operationId"], place, text, method, headers=headers, body=body, **usual)

    for parameter in parameters:
        name, kind = parameter["name"], parameter["in"]
        if kind == "path":
            for text, value in texts(size // 4):
                hostile = path.replace("{" + name + "}", value.replace("/", "_"))
                yield attempt(f"path {name}", text, path=hostile, refused=True)
        elif kind == "query":
            for text, query in queries(name, size):
                yield attempt(f"query {name}", text, query=query, refused=text not in PERHAPS_RIGHT)
    declared = (parameter["name"] for parameter in parameters if parameter["in"] == "header")
    for header in dict.fromkeys([*HEADERS, *declared]):
        for text, sent in header_values(size):
            yield attempt(f"header {header}", text, {**as_json, header.lower().encode(): sent})
    for content_type, content in contents.items():
        for name in _properties(document, content["schema"]):
            if content_type == "application/json":
                for text, member in json_values(size):
                    yield attempt(f"field {name}", text, body=b'{"%s":%s}' % (name.encode(), member))
            else:
                for text, form_type, form in forms(name, size):
                    yield attempt(f"field {name}", text, {**signed_in, b"content-type": form_type}, form)
    if method != "GET":
        for number, (text, body) in enumerate(bodies(size)):
            yield attempt("body", text, body=body)
            yield attempt("body with a key", text, {**as_json, b"idempotency-key": b"hostile-%d" % number}, body)


def _properties(document: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    reference = schema.get("$ref", "")
    found = document["components"]["schemas"][reference.rpartition("/")[2]] if reference else schema
    return list(found.get("properties", {}))


async def send(app: FastAPI, attempt: Attempt) -> Outcome:
    """Call the service as its server would, without a client that refuses or escapes what is sent."""
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": attempt.method,
        "scheme": "http",
        "path": attempt.path,
        "raw_path": quote(attempt.path, errors="replace").encode(),
        "query_string": attempt.query,
        "root_path": "",
        "headers": [(b"host", b"testserver"), *attempt.headers.items()],
        "client": ("127.0.0.1", 12345),
        "server": ("testserver", 80),
    }
    started: list[Message] = []
    is_sent = False
    ended = asyncio.Event()

    async def receive() -> Message:
        nonlocal is_sent
        if is_sent:
            await ended.wait()
            return {"type": "http.disconnect"}
        is_sent = True
        return {"type": "http.request", "body": attempt.body, "more_body": False}

    async def take(message: Message) -> None:
        if message["type"] == "http.response.start":
            started.append(message)
        if not message.get("more_body", False) or _content_type(started) == "text/event-stream":
            ended.set()  # of a stream the beginning is enough

    began = time.thread_time()
    async with asyncio.timeout(STREAM_SECONDS):
        await app(scope, receive, take)
    busy_seconds = time.thread_time() - began
    return Outcome(attempt, started[0]["status"] if started else 0, _content_type(started), busy_seconds)


def _content_type(started: list[Message]) -> str:
    headers = dict(started[0]["headers"]) if started else {}
    return str(headers.get(b"content-type", b"").decode()).partition(";")[0]


async def findings(
    app: FastAPI, token: str, *, except_for: Collection[str] = (), places: Collection[str] = ()
) -> AsyncIterator[str]:
    """What is wrong with the answers, in words; nothing, for a service that reads with care.

    `except_for` names operations that are left out; `places` are the only ones, when there are any.
    """
    for attempt in attempts(app, token):
        if attempt.operation in except_for or (places and attempt.place not in places):
            continue
        outcome = await send(app, attempt)
        for _ in range(2):  # a collection of garbage, or a busy machine; work that does not fit its input comes again
            if outcome.busy_seconds > BUSY_SECONDS:
                outcome = min(outcome, await send(app, attempt), key=lambda one: one.busy_seconds)
        if fault := outcome.fault():
            yield f"{attempt} {fault}"


async def fingerprint(database: Database) -> dict[str, str]:
    """A digest of every collection that holds state: the same before and after what changed nothing.

    Events that wait for the relay are left out: they go by themselves.
    """
    found = {}
    for name in sorted(await database.list_collection_names()):
        if name not in NOT_STATE:
            digest = hashlib.sha256()
            async for document in database[name].find({}, WITHOUT_EVENTS).sort("_id", 1):
                digest.update(encode_bson(document))
            found[name] = digest.hexdigest()
    return found
