"""Sends hostile input of maximum size to every documented route of a service, and measures its cost."""

import asyncio
import hashlib
import re
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

LARGEST: Final = 62_000
"""Bytes; below the body limit, so that the parsing is measured and not the refusal."""
BUSY_SECONDS: Final = 0.25
"""CPU seconds of the event loop's thread for one request. A normal body of 64 KB takes a few milliseconds."""
STREAM_SECONDS: Final = 20.0
PERHAPS_RIGHT: Final = frozenset({"one parameter again and again", "a large exponent"})
"""Query strings that are valid for some parameters."""
UNKNOWN_ID: Final = "a" * 24
_PLACEHOLDER: Final = re.compile(r"\{\w+\}")
"""A parameter in a path of the OpenAPI document: `{id}`."""
NOT_STATE: Final = frozenset({"idempotency_keys", "leases", "system.profile"})
"""Collections that contain no effect of a request: stored responses, and leases of background work."""


Headers: TypeAlias = Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request; `refused` means that only a refusal is correct."""

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
    """The result of an attempt; `busy_seconds` is the CPU time of the event loop's thread."""

    attempt: Attempt
    status: int
    content_type: str
    busy_seconds: float

    def fault(self) -> str | None:
        """The fault, or None."""
        if self.busy_seconds > BUSY_SECONDS:
            return f"kept the event loop busy for {self.busy_seconds:.2f} s"
        if self.status >= 500 or self.status == 0:
            return f"got the status {self.status}"
        if self.attempt.refused and self.status < 400:
            return f"was accepted with {self.status}"
        if self.status >= 400 and self.content_type != "application/problem+json":
            return f"was refused as {self.content_type}"
        return None


def attempts(app: FastAPI, token: str, *, size: int = LARGEST) -> Iterator[Attempt]:
    """Every text in every input of every documented operation; new routes are included automatically."""
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
        usual = {"path": _PLACEHOLDER.sub(UNKNOWN_ID, path), "refused": bool(contents), **changes}
        return Attempt(operation["operationId"], place, text, method, headers=headers, body=body, **usual)

    for parameter in parameters:
        name, kind = parameter["name"], parameter["in"]
        if kind == "path":
            for text, value in texts(size // 4):
                before, _, after = path.partition("{" + name + "}")
                hostile = _PLACEHOLDER.sub(UNKNOWN_ID, before) + value.replace("/", "_")
                hostile += _PLACEHOLDER.sub(UNKNOWN_ID, after)
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
    """Call the ASGI app directly, without a client that refuses or escapes the input."""
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
            ended.set()  # for a stream its first chunk is enough

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
    """Descriptions of all faults; empty for a service that handles hostile input correctly.

    `except_for` are operations to omit; `places`, if given, are the only inputs to test.
    """
    for attempt in attempts(app, token):
        if attempt.operation in except_for or (places and attempt.place not in places):
            continue
        outcome = await send(app, attempt)
        for _ in range(2):  # a slow first attempt can be garbage collection or a busy machine; a real fault repeats
            if outcome.busy_seconds > BUSY_SECONDS:
                outcome = min(outcome, await send(app, attempt), key=lambda one: one.busy_seconds)
        if fault := outcome.fault():
            yield f"{attempt} {fault}"


async def fingerprint(database: Database) -> dict[str, str]:
    """A digest of every collection with state: equal before and after a request that changes nothing.

    Outbox entries are excluded, because the relay removes them.
    """
    found = {}
    for name in sorted(await database.list_collection_names()):
        if name not in NOT_STATE:
            digest = hashlib.sha256()
            async for document in database[name].find({}, WITHOUT_EVENTS).sort("_id", 1):
                digest.update(encode_bson(document))
            found[name] = digest.hexdigest()
    return found
