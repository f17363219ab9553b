"""JSON of open sessions."""

from datetime import datetime
from typing import Self

from ticketing_common.web import ApiModel

from .open_sessions import OpenSession


class SessionResponse(ApiModel):
    """An open session in a browser; `current` for the one that asks. `device` is null if its browser is not known.

    `renewed_at` is the time of the last renewal, which an active browser does every ten minutes.
    """

    id: str
    device: str | None
    created_at: datetime
    renewed_at: datetime
    expires_at: datetime
    current: bool

    @classmethod
    def of(cls, session: OpenSession, *, is_current: bool) -> Self:
        """The representation of a session."""
        return cls(
            id=session.id,
            device=session.device,
            created_at=session.created_at,
            renewed_at=session.renewed_at,
            expires_at=session.expires_at,
            current=is_current,
        )


class ExportedSession(ApiModel):
    """An open session in a browser."""

    device: str | None
    created_at: datetime
    renewed_at: datetime
    expires_at: datetime
