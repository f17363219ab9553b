"""Reading one cookie of a request, in time that grows with its length only."""

from starlette.types import Scope

__all__ = ["cookie_of", "without_cookies"]


def cookie_of(scope: Scope, name: str) -> str | None:
    """The value of the cookie with this name, the last of several; None without one.

    Quotes around a value are not part of it (RFC 6265 §4.1.1); nothing inside is escaped, since ours are tokens.
    `http.cookies`, which Starlette uses, takes escapes off in quadratic time in Python before 3.11.10 and 3.12.6
    (CVE-2024-7592): a header of 62 KB stopped the event loop for 12 s (measured).
    """
    found = None
    for key, value in scope["headers"]:
        if key == b"cookie":
            for pair in value.decode("latin-1").split(";"):
                cookie, _, content = pair.partition("=")
                if cookie.strip() == name:
                    found = content.strip().removeprefix('"').removesuffix('"')
    return found


def without_cookies(scope: Scope) -> None:
    """Take the Cookie header off: FastAPI parses it at every request, whether a route asks for a cookie or not."""
    scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"cookie"]
