"""Security events: one log line and one count for each sign-in, refusal and reached limit.

The schema is documented in docs/observability.md. Which events to record follows the OWASP Application Security
Verification Standard 5.0, 16.3. An account is named by its id. An account that does not exist is named by a keyed hash
of the e-mail. No event holds an e-mail or a network address.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from .logs import get_logger
from .metrics import SECURITY_EVENTS, init_series

log = get_logger(__name__)


class SecurityEvent(StrEnum):
    """The kind of event: the log line's field `security_event` and the metric's label `event`."""

    SIGN_IN_SUCCEEDED = "sign_in.succeeded"
    SIGN_IN_FAILED = "sign_in.failed"
    """A wrong password, or an e-mail that has no account."""
    SIGN_IN_BLOCKED = "sign_in.blocked"
    """The account reached its limit of wrong passwords; this one was not checked."""
    SECOND_FACTOR_REQUIRED = "second_factor.required"
    """A right password without the code that the account also asks for."""
    SECOND_FACTOR_FAILED = "second_factor.failed"
    """A wrong or used code, after a right password or within a session."""
    SECOND_FACTOR_BLOCKED = "second_factor.blocked"
    """The account reached its limit of wrong codes; this one was not checked."""
    SECOND_FACTOR_ENABLED = "second_factor.enabled"
    SECOND_FACTOR_DISABLED = "second_factor.disabled"
    """The field `reason` says by whom: `owner` or `operator`."""
    RECOVERY_CODES_REPLACED = "second_factor.recovery_codes_replaced"
    RECOVERY_CODE_USED = "second_factor.recovery_code_used"
    ACCOUNT_CREATED = "account.created"
    ACCOUNT_DELETED = "account.deleted"
    EMAIL_VERIFIED = "account.email_verified"
    RESET_REQUESTED = "password.reset_requested"
    """For an e-mail that need not have an account."""
    PASSWORD_RESET = "password.reset"  # noqa: S105 (an event's name)
    PASSWORD_CHANGED = "password.changed"  # noqa: S105
    SESSIONS_REVOKED = "sessions.revoked"
    """All sessions of the account ended; the field `reason` names the cause."""
    SESSION_ENDED = "session.ended"
    """One session ended, or one API token; the field `reason` names the cause."""
    UNAUTHENTICATED = "access.unauthenticated"
    """401: no session or token, or one that is not valid."""
    DENIED = "access.denied"
    """403: the caller is signed in but asks for another account's resource, or the page is foreign."""
    LIMIT_REACHED = "limit.reached"
    """429: the field `limit` names the limit."""
    INPUT_REFUSED = "input.refused"
    """422: the field `kinds` has the kinds of errors, never what was typed."""


ROUTINE: Final = frozenset(
    {
        SecurityEvent.SIGN_IN_SUCCEEDED,
        SecurityEvent.SECOND_FACTOR_REQUIRED,
        SecurityEvent.ACCOUNT_CREATED,
        SecurityEvent.EMAIL_VERIFIED,
        SecurityEvent.SESSION_ENDED,
        SecurityEvent.INPUT_REFUSED,
    }
)


def init_security_series() -> None:
    """Initialise every event's series to 0, so that an alert sees the first event."""
    init_series(SECURITY_EVENTS, *((event.value,) for event in SecurityEvent))


def record_security_event(event: SecurityEvent, fields: Mapping[str, str | None]) -> None:
    """Log and count an event; omits fields that are None.

    Routine events are logged at `info`, the others at `warning`.
    """
    SECURITY_EVENTS.labels(event.value).inc()
    known = {name: value for name, value in fields.items() if value is not None}
    write = log.info if event in ROUTINE else log.warning
    write("security event", security_event=event.value, **known)
