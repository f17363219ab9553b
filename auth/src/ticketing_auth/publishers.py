"""From an account to the events that describe it."""

from collections.abc import Callable
from datetime import datetime

from ticketing_common.events import SessionEndedData, UserData, UserDeleted, UserSessionEnded, UserSessionsRevoked

from .domain import User


def sessions_revoked(user: User) -> UserSessionsRevoked:
    """All sessions of the account ended."""
    return UserSessionsRevoked.of(_state(user))


def session_ended(
    session_id: str, *, ended_at: datetime, tokens_end_at: datetime
) -> Callable[[User], UserSessionEnded]:
    """The publisher for the end of one session of the account. Times are UTC."""

    def publish(user: User) -> UserSessionEnded:
        return UserSessionEnded.of(
            SessionEndedData(
                id=user.id,
                version=user.version,
                user_id=user.id,
                session_id=session_id,
                ended_at=ended_at,
                tokens_end_at=tokens_end_at,
            )
        )

    return publish


def user_deleted(user: User) -> UserDeleted:
    """The account was deleted."""
    return UserDeleted.of(_state(user))


def account_changed(user: User) -> UserSessionsRevoked | UserDeleted:
    """The event of the present state, for a resync. Raises `ValueError` if no session was ever ended."""
    return sessions_revoked(user) if user.deleted_at is None else user_deleted(user)


def _state(user: User) -> UserData:
    if user.sessions_revoked_at is None or user.tokens_end_at is None or user.revocation_reason is None:
        raise ValueError("no session of this account was ended")
    return UserData(
        id=user.id,
        version=user.version,
        user_id=user.id,
        session_epoch=user.session_epoch,
        revoked_before=user.sessions_revoked_at,
        tokens_end_at=user.tokens_end_at,
        reason=user.revocation_reason,
    )
