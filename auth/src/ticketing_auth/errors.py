"""What can go wrong with an account, in the words of the kinds of `ticketing_common.errors`."""

from collections.abc import Mapping

from ticketing_common.errors import (
    ConflictError,
    FieldError,
    InvalidInputError,
    TooManyRequestsError,
    UnauthenticatedError,
    UnavailableError,
)
from ticketing_common.telemetry import SecurityEvent

__all__ = [
    "CredentialsInvalidError",
    "EmailTakenError",
    "PasswordCommonError",
    "PasswordIsEmailError",
    "PasswordQueueFullError",
    "TooManyGuessesError",
]


class CredentialsInvalidError(UnauthenticatedError):
    """The e-mail or the password is wrong; the answer does not tell which.

    `account` says in the security log whose password was tried.
    """

    title = "Wrong e-mail or password"
    security_event = SecurityEvent.SIGN_IN_FAILED

    def __init__(self, account: Mapping[str, str | None]) -> None:
        super().__init__("The e-mail or the password is wrong.")
        self.security_fields = account


class TooManyGuessesError(TooManyRequestsError):
    """The account has taken as many wrong passwords as it may for now; this password was not judged."""

    security_event = SecurityEvent.SIGN_IN_BLOCKED

    def __init__(self, account: Mapping[str, str | None], *, retry_after_seconds: int) -> None:
        detail = "Too many wrong passwords. Use a browser that has signed in before, or try again later."
        super().__init__(detail, retry_after_seconds=retry_after_seconds)
        self.security_fields = account


class EmailTakenError(ConflictError):
    """Somebody has an account with this e-mail."""

    title = "E-mail in use"

    def __init__(self) -> None:
        detail = "There is an account with this e-mail already."
        super().__init__(detail, errors=(FieldError(detail, "email"),))


class PasswordCommonError(InvalidInputError):
    """The new password is one of those that are guessed first."""

    def __init__(self) -> None:
        super().__init__(
            "See errors.", errors=(FieldError("This password is too common. Choose another.", "password"),)
        )


class PasswordIsEmailError(InvalidInputError):
    """The new password is the e-mail, or the part of it before the @."""

    def __init__(self) -> None:
        super().__init__("See errors.", errors=(FieldError("The password must not be the e-mail.", "password"),))


class PasswordQueueFullError(UnavailableError):
    """More passwords wait to be hashed than we let wait."""

    def __init__(self) -> None:
        super().__init__("Too many people are signing in at this moment.", retry_after_seconds=1)
