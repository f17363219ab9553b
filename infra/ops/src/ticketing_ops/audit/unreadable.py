"""The error that ends an audit: a part could not be read, so nothing can be said about the whole."""

__all__ = ["UnreadableError"]


class UnreadableError(Exception):
    """One sentence for the person; it never holds an address, which may hold a password."""

    def __init__(self, part: str, reason: str) -> None:
        super().__init__(f"{part} cannot be read: {reason}")
