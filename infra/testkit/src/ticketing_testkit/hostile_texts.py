"""Texts, JSON values and headers that cost a careless parser far more than their length."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Final
from urllib.parse import quote


def _repeated(pattern: str, size: int) -> str:
    return (pattern * (size // len(pattern) + 1))[:size]


def _marks(size: int) -> str:
    """Combining marks in the order that takes the most steps to normalise."""
    return "".join(mark * (size // 3) for mark in "\u0345\u0301\u0316")


TEXTS: Final[Mapping[str, Callable[[int], str]]] = {
    "marks out of order": lambda size: f"a{_marks(size)}@x.com",
    "marks in turn": lambda size: _repeated("\u0345\u0301\u0316", size),
    "marks in a domain": lambda size: f"a@a{_marks(size)}.com",
    "Hangul letters": lambda size: _repeated("\u1112\u1161\u11ab", size),
    "ligatures of 18 letters": lambda size: _repeated("\ufdfa", size),
    "joined emoji": lambda size: _repeated("\U0001f469\u200d\U0001f467\u200d", size),
    "invisible": lambda size: _repeated("\u2800\u3164\u200b\ufe0f", size),
    "overrides": lambda size: _repeated("\u202e\u2066", size),
    "at signs": lambda size: _repeated("a@", size),
    "labels": lambda size: "a@" + _repeated("a.", size),
    "punycode labels": lambda size: "a@" + _repeated(f"xn--{'9' * 55}.", size),
    "one punycode label": lambda size: "a@xn--" + _repeated("a9", size),
    "capital dotted i": lambda size: _repeated("\u0130", size),
    "quoted": lambda size: '"' + _repeated('\\"', size),
    "digits": lambda size: "9" * size,
    "decimal places": lambda size: "0." + "1" * size,
    "a fraction of a second": lambda size: f"2999-01-01T00:00:00.{'1' * size}Z",
    "spaces": lambda size: " " * size + "x",
    "words": lambda size: _repeated("a b ", size),
    "line feeds": lambda size: "\n" * size,
    "NULs": lambda size: "\x00" * size,
    "expression": lambda size: _repeated("(a*)*", size),
    "brackets": lambda size: "[" * size,
    "a cursor of brackets": lambda size: base64.urlsafe_b64encode(b"[" * (size * 3 // 4)).decode(),
    "hyphens": lambda size: "-" * size,
    "signatures": lambda size: _repeated("t=1,v1=a,", size),
    "cookies": lambda size: _repeated("session=a; ", size),
    "percent signs": lambda size: _repeated("%25", size),
}
"""Each function returns a text of approximately the given number of characters."""


def texts(size: int) -> Iterator[tuple[str, str]]:
    """Name and text, each with approximately `size` characters."""
    for name, make in TEXTS.items():
        yield name, make(size)


def _encoded(size: int, encode: Callable[[str], bytes]) -> Iterator[tuple[str, bytes]]:
    """Name and encoded text, each as long as `size` bytes allow."""
    for name, make in TEXTS.items():
        whole = encode(make(size))
        yield name, whole if len(whole) <= size else encode(make((size - 64) * size // len(whole)))


def json_values(size: int) -> Iterator[tuple[str, bytes]]:
    """Name and JSON text of a value, each with at most `size` bytes."""
    yield from _encoded(size, lambda text: json.dumps(text, ensure_ascii=False).encode())
    yield "half characters", b'"' + b"\\ud800" * (size // 6) + b'"'
    yield "escaped marks", b'"a' + b"\\u0345\\u0301\\u0316" * (size // 18) + b'@x.com"'
    yield "nested arrays", b"[" * size
    yield "nested and closed arrays", b"[" * (size // 2) + b"]" * (size // 2)
    yield "nested objects", b'{"a":' * (size // 5)
    yield "a long array", b"[" + b"1," * (size // 2) + b"1]"
    yield "a long integer", b"9" * size
    yield "an integer that Python still reads", b"9" * min(size, 4_000)
    yield "a long decimal", b"0." + b"1" * size
    yield "a large exponent", b"1e999999"
    yield "a small exponent", b"1e-999999"
    yield "NaN", b"NaN"
    yield "true", b"true"
    yield "null", b"null"


def bodies(size: int) -> Iterator[tuple[str, bytes]]:
    """Name and complete JSON body."""
    members = [b'"%d":1' % number for number in range(size // 9)]
    yield "unknown fields", b"{" + b",".join(members) + b"}"
    yield "half characters as names", b'{"' + b"\\udc00" * (size // 6) + b'":1,"\\ud800":2}'
    yield "one field again and again", b"{" + b",".join([b'"email":1'] * (size // 10)) + b"}"
    yield "no UTF-8", b'{"title": "' + b"\xff" * size + b'"}'
    yield "UTF-16", '{"title": "x"}'.encode("utf-16")
    yield "spaces", b" " * size
    yield "more than is read", b'{"title": "' + b"x" * 300_000 + b'"}'  # without a Content-Length
    yield from json_values(size)


def forms(field: str, size: int) -> Iterator[tuple[str, bytes, bytes]]:
    """Name, content type and form body, with the texts in this field."""
    url_encoded = b"application/x-www-form-urlencoded"
    for name, text in _encoded(size, lambda text: quote(text).encode()):
        yield name, url_encoded, field.encode() + b"=" + text
    yield "many fields", url_encoded, b"a=b&" * (size // 4)
    yield "one field again and again", url_encoded, f"{field}=b&".encode() * (size // (len(field) + 3))
    yield "separators", url_encoded, b"&" * size
    yield "broken escapes", url_encoded, b"%" * size
    part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n'
    yield "many parts", b"multipart/form-data; boundary=x", part * (size // len(part)) + b"--x--\r\n"
    yield "a boundary without end", b"multipart/form-data; boundary=" + b"x" * size, b"--" + b"x" * (size // 2)
    yield "hyphens as parts", b"multipart/form-data; boundary=x", b"--x\r\n" * (size // 5)


def queries(parameter: str, size: int) -> Iterator[tuple[str, bytes]]:
    """Name and query string, with the texts in this parameter."""
    for name, text in _encoded(size, lambda text: quote(text).encode()):
        yield name, parameter.encode() + b"=" + text
    yield "long digits", f"{parameter}={'9' * size}".encode()
    yield "a large exponent", f"{parameter}=1e999999".encode()
    yield "many unknown parameters", b"&".join(b"%d=1" % number for number in range(size // 8))
    yield "one parameter again and again", f"{parameter}=1&".encode() * (size // (len(parameter) + 3))


HEADERS: Final = (
    *("accept", "accept-encoding", "authorization", "baggage", "content-length", "content-type", "cookie", "host"),
    *("idempotency-key", "if-none-match", "last-event-id", "origin", "range", "referer", "sec-fetch-site"),
    *("stripe-signature", "traceparent", "tracestate", "user-agent", "x-envoy-expected-rq-timeout-ms"),
    *("x-forwarded-for", "x-request-id"),
)


def header_values(size: int) -> Iterator[tuple[str, bytes]]:
    """Name and header value; an HTTP server rejects line feeds and NULs before."""
    for name, text in texts(size):
        value = text.encode("latin-1", errors="replace").replace(b"\n", b"_").replace(b"\x00", b"_")
        yield name, value
    nested = base64.urlsafe_b64encode(b"[" * (size * 3 // 4))
    yield "a token of brackets", b"Bearer " + nested + b".e30.e30"
    yield "a short token of brackets", b"Bearer " + base64.urlsafe_b64encode(b"[" * 3_000) + b".e30.e30"
    yield "a token of dots", b"Bearer " + b"." * size
    yield "a session of brackets", b"session=" + nested + b".e30.e30"
    yield "cookies of all names", b"; ".join(b"c%d=1" % number for number in range(size // 8))
    yield "no UTF-8", b"\xff" * size
    yield "parameters", b"application/json" + b";a=b" * (size // 4)
    yield "a trace", b"00-" + b"a" * size
    yield "a trace with spaces", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01" + b" " * size
