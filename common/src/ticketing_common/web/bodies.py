"""A request's body, for a middleware that has to look into it."""

from starlette.types import Message, Receive

__all__ = ["read_body", "replay_body"]


async def read_body(receive: Receive) -> bytes:
    """The whole body, or what came of it before the caller left; `RequestBodyMiddleware` holds the limits."""
    chunks = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return bytes(chunks)
        chunks.extend(message.get("body", b""))
        if not message.get("more_body", False):
            return bytes(chunks)


def replay_body(body: bytes, receive: Receive) -> Receive:
    """Hands on a body that was read, and afterwards what else the caller does."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
