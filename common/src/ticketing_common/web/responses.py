"""Properties of a response, read from its ASGI messages."""

from starlette.types import Message

__all__ = ["ends_answer", "starts_stream"]


def starts_stream(message: Message) -> bool:
    """Whether this message starts an event stream, which may stay open for hours without work."""
    if message["type"] != "http.response.start":
        return False
    return any(
        name.lower() == b"content-type" and value.startswith(b"text/event-stream")
        for name, value in message.get("headers", ())
    )


def ends_answer(message: Message) -> bool:
    """Whether this message completes the response."""
    return message["type"] == "http.response.body" and not message.get("more_body", False)
