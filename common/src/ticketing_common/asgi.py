"""Direct access to the raw headers of a request and the messages of a response, for middleware."""

from starlette.types import Message, Scope


def header_of(scope: Scope, name: bytes) -> bytes | None:
    """The first header of that name (lower case), or None. A plain loop, because it runs several times per request."""
    for key, value in scope["headers"]:
        if key == name:
            found: bytes = value
            return found
    return None


def starts_stream(message: Message) -> bool:
    """Whether this message starts an event stream, which may stay open for hours without work."""
    if message["type"] != "http.response.start":
        return False
    for name, value in message.get("headers", ()):  # a plain loop, because it runs several times per request
        if value.startswith(b"text/event-stream") and name.lower() == b"content-type":
            return True
    return False


def ends_answer(message: Message) -> bool:
    """Whether this message completes the response."""
    return message["type"] == "http.response.body" and not message.get("more_body", False)
