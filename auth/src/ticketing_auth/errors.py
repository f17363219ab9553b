"""Errors of the auth service, each a subclass of a kind in `ticketing_common.errors`."""

from collections.abc import Mapping
from typing import Any, Final

from ticketing_common.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    TicketingError,
    TooManyRequestsError,
    UnauthenticatedError,
    UnavailableError,
)
from ticketing_common.telemetry import SecurityEvent

CODE_REQUIRED: Final = "tag:ticketing.dev,2026:second-factor-required"
"""The problem's type (RFC 9457 §3.1.1): a program asks for a code, and repeats the sign-in with it."""
WRONG_CODE: Final = "The code is wrong, too old, or was used before."


class _AccountError(TicketingError):
    """About one account, which `account` identifies in the security log."""

    def __init__(self, account: Mapping[str, str | None], **options: Any) -> None:
        super().__init__(**options)
        self.security_fields = account


class CredentialsInvalidError(_AccountError, UnauthenticatedError):
    """The e-mail or the password is wrong. The response does not show which."""

    title = "Wrong e-mail or password"
    detail = "The e-mail or the password is wrong."
    security_event = SecurityEvent.SIGN_IN_FAILED


class TooManyGuessesError(_AccountError, TooManyRequestsError):
    """The account has reached its limit of wrong passwords. This password was not checked."""

    detail = "Too many wrong passwords. Use a browser that has signed in before, or try again later."
    security_event = SecurityEvent.SIGN_IN_BLOCKED


class WrongPasswordError(_AccountError, ForbiddenError):
    """The caller is signed in, and has given a wrong present password."""

    title = "Wrong password"
    detail = "The present password is wrong."
    security_event = SecurityEvent.SIGN_IN_FAILED


class SecondFactorRequiredError(_AccountError, UnauthenticatedError):
    """The password is right, and the account also asks for a code. No session was opened."""

    title = "A code is needed"
    detail = "Enter the code of your authenticator app, or a recovery code."
    problem_type = CODE_REQUIRED
    security_event = SecurityEvent.SECOND_FACTOR_REQUIRED


class CodeRefusedError(_AccountError, UnauthenticatedError):
    """The password of a sign-in is right, and the code is wrong, too old, or was used before."""

    title = "Wrong code"
    detail = WRONG_CODE
    field = "code"
    problem_type = CODE_REQUIRED
    security_event = SecurityEvent.SECOND_FACTOR_FAILED


class WrongCodeError(_AccountError, ForbiddenError):
    """The caller is signed in, and has given a code that is wrong, too old, or was used before."""

    title = "Wrong code"
    detail = WRONG_CODE
    field = "code"
    security_event = SecurityEvent.SECOND_FACTOR_FAILED


class TooManyCodesError(_AccountError, TooManyRequestsError):
    """The account has reached its limit of wrong codes. This code was not checked."""

    detail = "Too many wrong codes. Use a recovery code or a browser that has signed in before, or try again later."
    security_event = SecurityEvent.SECOND_FACTOR_BLOCKED


class SecondFactorOnError(ConflictError):
    """The account has a second factor already."""

    title = "The second factor is on"
    detail = "Turn the second factor off before you set up another one."


class NoSecondFactorError(ConflictError):
    """The account has no second factor."""

    title = "The second factor is off"
    detail = "The account has no second factor."


class NoEnrolmentError(ConflictError):
    """No new secret waits for its first code, or it has waited too long."""

    title = "Nothing to confirm"
    detail = "Begin again: the secret was not shown, or was shown too long ago."


class SecondFactorUnreadableError(UnavailableError):
    """No key of this service decrypts the secret, so no code can be checked. A recovery code still works."""

    detail = "Codes cannot be checked at present. Use a recovery code."
    retry_after_seconds = 60


class SessionEndedError(UnauthenticatedError):
    """The token is valid, but its session was ended, or its account was deleted."""

    detail = "The session has ended."


class AccountDeletedError(NotFoundError):
    """An operator's command names an account that was deleted. It has no sessions, and no second factor."""

    def __init__(self, account_id: str) -> None:
        super().__init__(f"Account {account_id} is deleted, and has no sessions.")


class SessionNotFoundError(NotFoundError):
    """The account has no open session with this id; it may be another account's."""

    detail = "There is no such open session of yours."


class TokenSpentError(InvalidInputError):
    """A token of a mail that was used, is too old, was voided by a new password, or never existed."""

    title = "The link is not valid any more"
    detail = "This link was used already, or is too old. Ask for a new one."
    field = "token"


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
    detail = "There is an account with this e-mail already."
    field = "email"


class PasswordCommonError(InvalidInputError):
    """The new password is one of those that attackers guess first."""

    detail = "This password is too common. Choose another."
    field = "password"


class PasswordBreachedError(InvalidInputError):
    """The new password is in a list of passwords that leaked from other sites."""

    detail = "This password is in a list of leaked passwords. Choose another."
    field = "password"


class PasswordIsEmailError(InvalidInputError):
    """The new password is the e-mail, or the part of it before the @."""

    detail = "The password must not be the e-mail."
    field = "password"


class PasswordQueueFullError(UnavailableError):
    """The queue of passwords that wait to be hashed is full."""

    detail = "Too many people are signing in at this moment."
