"""Properties of a response, read from its ASGI messages."""

from starlette.types import Message

__all__ = ["ends_answer", "starts_stream"]


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
