"""Ended sessions: which valid tokens are refused all the same."""

from collections import OrderedDict
from datetime import UTC, datetime

from ticketing_common.events import SessionEndedData, UserData

from .tokens import User

__all__ = ["SessionRevocations"]


class SessionRevocations:
    """The ended sessions, in this replica's memory, each until no token of it can be valid.

    A session that ended alone is kept by its id. Where all sessions of an account ended, the session epoch decides, so
    a sign-in right after a revocation is valid, whatever the clocks say. Events may come twice and in any order: the
    highest epoch counts. A token without an epoch, from before accounts had one, is ended if its sign-in may have been
    before the revocation; `signed_in_at` has whole seconds.
    """

    def __init__(self) -> None:
        self._latest: OrderedDict[str, UserData] = OrderedDict()
        self._single: OrderedDict[str, SessionEndedData] = OrderedDict()

    def __len__(self) -> int:
        """Number of accounts with a revocation, and of sessions that ended alone."""
        return len(self._latest) + len(self._single)

    def note(self, data: UserData) -> None:
        """Take the state of an account from an event, and drop what has become unnecessary."""
        now = datetime.now(UTC)
        known = self._latest.get(data.user_id)
        if data.tokens_end_at > now and (known is None or known.session_epoch < data.session_epoch):
            self._latest[data.user_id] = data
            self._latest.move_to_end(data.user_id)
        while self._latest and next(iter(self._latest.values())).tokens_end_at <= now:
            self._latest.popitem(last=False)

    def note_session(self, data: SessionEndedData) -> None:
        """Take one ended session from an event, and drop those whose tokens have all expired."""
        now = datetime.now(UTC)
        if data.tokens_end_at > now:
            self._single.setdefault(data.session_id, data)
        while self._single and next(iter(self._single.values())).tokens_end_at <= now:
            self._single.popitem(last=False)

    def ended(self, user: User) -> bool:
        """Whether the session of this token was ended: two lookups in memory."""
        if user.session_key in self._single:
            return True
        latest = self._latest.get(user.id)
        if latest is None:
            return False
        if user.session_epoch is None:
            return user.signed_in_at < latest.revoked_before
        return user.session_epoch < latest.session_epoch
