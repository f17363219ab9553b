"""A request's headers as they came, for a middleware that wants one of them."""

from starlette.types import Scope

__all__ = ["header_of"]


def header_of(scope: Scope, name: bytes) -> bytes | None:
    """The first of that name (lower case), or None. A loop: this is asked several times a request."""
    for key, value in scope["headers"]:
        if key == name:
            found: bytes = value
            return found
    return None
