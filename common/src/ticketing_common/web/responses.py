"""What can be seen of an answer while it passes by."""

from starlette.types import Message

__all__ = ["ends_answer", "starts_stream"]


def starts_stream(message: Message) -> bool:
    """Whether this begins a stream of events: open for hours, and no work while nothing happens."""
    if message["type"] != "http.response.start":
        return False
    return any(
        name.lower() == b"content-type" and value.startswith(b"text/event-stream")
        for name, value in message.get("headers", ())
    )


def ends_answer(message: Message) -> bool:
    """Whether the caller has the whole answer with this."""
    return message["type"] == "http.response.body" and not message.get("more_body", False)
