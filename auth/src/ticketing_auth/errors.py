"""What can go wrong with an account, in the words of the kinds of `ticketing_common.errors`."""

from ticketing_common.errors import ConflictError, FieldError, UnauthenticatedError, UnavailableError

__all__ = ["CredentialsInvalidError", "EmailTakenError", "PasswordQueueFullError"]


class CredentialsInvalidError(UnauthenticatedError):
    """The e-mail or the password is wrong; which of them is told to nobody."""

    title = "Wrong e-mail or password"

    def __init__(self) -> None:
        super().__init__("The e-mail or the password is wrong.")


class EmailTakenError(ConflictError):
    """Somebody has an account with this e-mail."""

    title = "E-mail in use"

    def __init__(self) -> None:
        detail = "There is an account with this e-mail already."
        super().__init__(detail, errors=(FieldError(detail, "email"),))


class PasswordQueueFullError(UnavailableError):
    """More passwords wait to be hashed than we let wait."""

    def __init__(self) -> None:
        super().__init__("Too many people are signing in at this moment.", retry_after_seconds=1)
