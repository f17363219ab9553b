"""Errors of the auth service, each a subclass of a kind in `ticketing_common.errors`."""

from collections.abc import Mapping
from typing import Final

from ticketing_common.errors import (
    ConflictError,
    FieldError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    TooManyRequestsError,
    UnauthenticatedError,
    UnavailableError,
)
from ticketing_common.telemetry import SecurityEvent

CODE_REQUIRED: Final = "tag:ticketing.dev,2026:second-factor-required"
"""The problem's type (RFC 9457 §3.1.1): a program asks for a code, and repeats the sign-in with it."""
WRONG_CODE: Final = "The code is wrong, too old, or was used before."


class CredentialsInvalidError(UnauthenticatedError):
    """The e-mail or the password is wrong. The response does not show which.

    `account` identifies the account in the security log.
    """

    title = "Wrong e-mail or password"
    security_event = SecurityEvent.SIGN_IN_FAILED

    def __init__(self, account: Mapping[str, str | None]) -> None:
        super().__init__("The e-mail or the password is wrong.")
        self.security_fields = account


class TooManyGuessesError(TooManyRequestsError):
    """The account has reached its limit of wrong passwords. This password was not checked."""

    security_event = SecurityEvent.SIGN_IN_BLOCKED

    def __init__(self, account: Mapping[str, str | None], *, retry_after_seconds: int) -> None:
        detail = "Too many wrong passwords. Use a browser that has signed in before, or try again later."
        super().__init__(detail, retry_after_seconds=retry_after_seconds)
        self.security_fields = account


class WrongPasswordError(ForbiddenError):
    """The caller is signed in, and has given a wrong present password."""

    title = "Wrong password"
    security_event = SecurityEvent.SIGN_IN_FAILED

    def __init__(self, account: Mapping[str, str | None], *, field: str) -> None:
        detail = "The present password is wrong."
        super().__init__(detail, errors=(FieldError(detail, field),))
        self.security_fields = account


class SecondFactorRequiredError(UnauthenticatedError):
    """The password is right, and the account also asks for a code. No session was opened."""

    title = "A code is needed"
    problem_type = CODE_REQUIRED
    security_event = SecurityEvent.SECOND_FACTOR_REQUIRED

    def __init__(self, account: Mapping[str, str | None]) -> None:
        super().__init__("Enter the code of your authenticator app, or a recovery code.")
        self.security_fields = account


class CodeRefusedError(UnauthenticatedError):
    """The password of a sign-in is right, and the code is wrong, too old, or was used before."""

    title = "Wrong code"
    problem_type = CODE_REQUIRED
    security_event = SecurityEvent.SECOND_FACTOR_FAILED

    def __init__(self, account: Mapping[str, str | None]) -> None:
        super().__init__(WRONG_CODE, errors=(FieldError(WRONG_CODE, "code"),))
        self.security_fields = account


class WrongCodeError(ForbiddenError):
    """The caller is signed in, and has given a code that is wrong, too old, or was used before."""

    title = "Wrong code"
    security_event = SecurityEvent.SECOND_FACTOR_FAILED

    def __init__(self, account: Mapping[str, str | None]) -> None:
        super().__init__(WRONG_CODE, errors=(FieldError(WRONG_CODE, "code"),))
        self.security_fields = account


class TooManyCodesError(TooManyRequestsError):
    """The account has reached its limit of wrong codes. This code was not checked."""

    security_event = SecurityEvent.SECOND_FACTOR_BLOCKED

    def __init__(self, account: Mapping[str, str | None], *, retry_after_seconds: int) -> None:
        detail = "Too many wrong codes. Use a recovery code or a browser that has signed in before, or try again later."
        super().__init__(detail, retry_after_seconds=retry_after_seconds)
        self.security_fields = account


class SecondFactorOnError(ConflictError):
    """The account has a second factor already."""

    title = "The second factor is on"

    def __init__(self) -> None:
        super().__init__("Turn the second factor off before you set up another one.")


class NoSecondFactorError(ConflictError):
    """The account has no second factor."""

    title = "The second factor is off"

    def __init__(self) -> None:
        super().__init__("The account has no second factor.")


class NoEnrolmentError(ConflictError):
    """No new secret waits for its first code, or it has waited too long."""

    title = "Nothing to confirm"

    def __init__(self) -> None:
        super().__init__("Begin again: the secret was not shown, or was shown too long ago.")


class SecondFactorUnreadableError(UnavailableError):
    """No key of this service decrypts the secret, so no code can be checked. A recovery code still works."""

    def __init__(self) -> None:
        super().__init__("Codes cannot be checked at present. Use a recovery code.", retry_after_seconds=60)


class SessionEndedError(UnauthenticatedError):
    """The token is valid, but its session was ended, or its account was deleted."""

    def __init__(self) -> None:
        super().__init__("The session has ended.")


class AccountDeletedError(NotFoundError):
    """An operator's command names an account that was deleted. It has no sessions, and no second factor."""

    def __init__(self, account_id: str) -> None:
        super().__init__(f"Account {account_id} is deleted, and has no sessions.")


class SessionNotFoundError(NotFoundError):
    """The account has no open session with this id; it may be another account's."""

    def __init__(self) -> None:
        super().__init__("There is no such open session of yours.")


class TokenSpentError(InvalidInputError):
    """A token of a mail that was used, is too old, was voided by a new password, or never existed."""

    title = "The link is not valid any more"

    def __init__(self) -> None:
        detail = "This link was used already, or is too old. Ask for a new one."
        super().__init__(detail, errors=(FieldError(detail, "token"),))


class AccountInUseError(ConflictError):
    """The account holds seats, or has sold seats of an event to come. `members` has the numbers of such orders."""

    title = "The account is in use"

    def __init__(self, *, holds: int, sales: int) -> None:
        reasons = []
        if holds:
            reasons.append("unpaid orders are open: pay or cancel them, or wait until they expire")
        if sales:
            reasons.append("seats of events to come are sold: wait until the events, or call them off")
        super().__init__(f"The account cannot be deleted now; {'; '.join(reasons)}.")
        self.members = {"holds": holds, "sales": sales}


class EmailTakenError(ConflictError):
    """An account with this e-mail exists."""

    title = "E-mail in use"

    def __init__(self) -> None:
        detail = "There is an account with this e-mail already."
        super().__init__(detail, errors=(FieldError(detail, "email"),))


class PasswordCommonError(InvalidInputError):
    """The new password is one of those that attackers guess first."""

    def __init__(self) -> None:
        super().__init__(
            "See errors.", errors=(FieldError("This password is too common. Choose another.", "password"),)
        )


class PasswordBreachedError(InvalidInputError):
    """The new password is in a list of passwords that leaked from other sites."""

    def __init__(self) -> None:
        detail = "This password is in a list of leaked passwords. Choose another."
        super().__init__("See errors.", errors=(FieldError(detail, "password"),))


class PasswordIsEmailError(InvalidInputError):
    """The new password is the e-mail, or the part of it before the @."""

    def __init__(self) -> None:
        super().__init__("See errors.", errors=(FieldError("The password must not be the e-mail.", "password"),))


class PasswordQueueFullError(UnavailableError):
    """The queue of passwords that wait to be hashed is full."""

    def __init__(self) -> None:
        super().__init__("Too many people are signing in at this moment.", retry_after_seconds=1)
