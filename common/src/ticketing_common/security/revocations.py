"""Ended sessions: which valid tokens are refused all the same."""

from collections import OrderedDict
from datetime import UTC, datetime

from ticketing_common.events import UserData

from .tokens import User

__all__ = ["SessionRevocations"]


class SessionRevocations:
    """The accounts whose sessions were ended, in this replica's memory, each until no token of them can be valid.

    The session epoch decides, so a sign-in right after a revocation is valid, whatever the clocks say. Events may come
    twice and in any order: the highest epoch counts. A token without an epoch, from before accounts had one, is ended
    if its sign-in may have been before the revocation; `signed_in_at` has whole seconds.
    """

    def __init__(self) -> None:
        self._latest: OrderedDict[str, UserData] = OrderedDict()

    def __len__(self) -> int:
        """Number of accounts with a revocation."""
        return len(self._latest)

    def note(self, data: UserData) -> None:
        """Take the state of an account from an event, and drop what has become unnecessary."""
        now = datetime.now(UTC)
        known = self._latest.get(data.user_id)
        if data.tokens_end_at > now and (known is None or known.session_epoch < data.session_epoch):
            self._latest[data.user_id] = data
            self._latest.move_to_end(data.user_id)
        while self._latest and next(iter(self._latest.values())).tokens_end_at <= now:
            self._latest.popitem(last=False)

    def ended(self, user: User) -> bool:
        """Whether the session of this token was ended."""
        latest = self._latest.get(user.id)
        if latest is None:
            return False
        if user.session_epoch is None:
            return user.signed_in_at < latest.revoked_before
        return user.session_epoch < latest.session_epoch
