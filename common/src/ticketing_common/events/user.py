"""Events of the auth service: the end of an account's sessions, and of an account. None holds an e-mail address."""

from enum import StrEnum

from pydantic import Field

from .envelope import Event, EventData, EventTime


class RevocationReason(StrEnum):
    """Why all sessions of an account ended."""

    SIGNED_OUT = "signed_out"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 (a reason, not a password)
    PASSWORD_RESET = "password_reset"  # noqa: S105
    DELETED = "deleted"


class UserData(EventData):
    """An account whose sessions were ended. Tokens with a lower epoch are refused until `tokens_end_at`.

    A token without an epoch, from before accounts had one, is refused if its `auth_time` is before `revoked_before`.
    """

    user_id: str
    session_epoch: int = Field(ge=1, description="how often all sessions of the account were ended")
    revoked_before: EventTime
    tokens_end_at: EventTime = Field(description="from then on no token of an ended session can be valid")
    reason: RevocationReason


class UserEvent(Event):
    """Any fact about an account."""

    data: UserData


class UserSessionsRevoked(UserEvent):
    """All sessions and API tokens of the account ended; a later sign-in is valid."""

    NAME = "user.sessions_revoked"


class UserDeleted(UserEvent):
    """The account was deleted for good. All its sessions ended with it."""

    NAME = "user.deleted"


class SessionEndedData(EventData):
    """One ended session of an account. Its tokens are refused until `tokens_end_at`."""

    user_id: str
    session_id: str = Field(description="the claim `sid` of its tokens, or `jti` of a token without `sid`")
    ended_at: EventTime
    tokens_end_at: EventTime = Field(description="from then on no token of the session can be valid")


class UserSessionEnded(Event):
    """One session of the account ended: it was signed out, or the owner ended it from another one."""

    NAME = "user.session_ended"

    data: SessionEndedData
