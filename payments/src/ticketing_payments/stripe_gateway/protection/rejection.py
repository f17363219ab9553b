"""The error that replaces a call that was not made."""


class CallRejectedError(Exception):
    """The call was not made, so it had no effect. A retry makes sense after `retry_after_seconds`."""

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message)
