"""Direct access to a request's raw headers, for middleware."""

from starlette.types import Scope

__all__ = ["header_of"]


def header_of(scope: Scope, name: bytes) -> bytes | None:
    """The first header of that name (lower case), or None. A plain loop, because it runs several times per request."""
    for key, value in scope["headers"]:
        if key == name:
            found: bytes = value
            return found
    return None
