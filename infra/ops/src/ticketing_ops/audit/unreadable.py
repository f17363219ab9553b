"""The error that ends an audit: a part could not be read, so the audit has no result."""


class UnreadableError(Exception):
    """One sentence for the user; it never contains an address, which may contain a password."""

    def __init__(self, part: str, reason: str) -> None:
        super().__init__(f"{part} cannot be read: {reason}")
