"""Parses a request's cookies in linear time."""

from collections.abc import Iterable, Mapping

from starlette.types import Scope

__all__ = ["cookies_of", "first_cookie", "without_cookies"]


def cookies_of(scope: Scope) -> dict[str, str]:
    """Every cookie's value by its name, the last of several with one name.

    Quotes around a value are not part of it (RFC 6265 §4.1.1); nothing inside is escaped, since ours are tokens.
    `http.cookies`, which Starlette uses, takes escapes off in quadratic time in Python before 3.11.10 and 3.12.6
    (CVE-2024-7592): a header of 62 KB stopped the event loop for 12 s (measured).
    """
    found: dict[str, str] = {}
    for key, value in scope["headers"]:
        if key == b"cookie":
            for pair in value.decode("latin-1").split(";"):
                name, equals, content = pair.partition("=")
                if equals:
                    found[name.strip()] = content.strip().removeprefix('"').removesuffix('"')
    return found


def first_cookie(cookies: Mapping[str, str], names: Iterable[str]) -> str | None:
    """The value of the first of these cookies in the request, or None."""
    return next((cookies[name] for name in names if name in cookies), None)


def without_cookies(scope: Scope) -> None:
    """Remove the Cookie header: FastAPI would parse it at every request, even if no route needs a cookie."""
    scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"cookie"]
