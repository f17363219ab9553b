"""What is raised instead of a call that was not made."""

__all__ = ["CallRejectedError"]


class CallRejectedError(Exception):
    """The other side was not asked at all, so nothing has happened there; asking again makes sense after a while."""

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message)
