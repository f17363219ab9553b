"""The use cases of auth: sign up, sign in, stay signed in, sign out."""

from contextlib import suppress
from datetime import timedelta

from pydantic import SecretStr

from ticketing_common import security
from ticketing_common.entity import new_id, utc_now
from ticketing_common.errors import ConcurrentUpdateError
from ticketing_common.telemetry import get_logger

from .domain import SessionRules, User
from .errors import CredentialsInvalidError
from .passwords import PasswordHasher
from .repository import RevokedSessions, UserRepository
from .settings import Settings

__all__ = ["AuthService"]

log = get_logger(__name__)


class AuthService:
    """Knows who has an account, and hands out the tokens that the other services believe.

    A browser's session is a chain of tokens with one session id, each a renewal of the one before. An API token
    has no session id and is never renewed, wherever its bearer puts it.
    """

    def __init__(
        self,
        users: UserRepository,
        revoked: RevokedSessions,
        passwords: PasswordHasher,
        signer: security.TokenSigner,
        settings: Settings,
    ) -> None:
        self._users = users
        self._revoked = revoked
        self._passwords = passwords
        self._signer = signer
        self._rules = SessionRules(
            lifetime=timedelta(minutes=settings.session_minutes), renewable=timedelta(days=settings.session_days)
        )

    async def sign_up(self, email: str, password: SecretStr) -> User:
        """Make an account; raises `EmailTakenError` and `PasswordQueueFullError`."""
        user = User(email=email, password_hash=await self._passwords.hash(password))
        await self._users.add(user)
        log.info("signed up", user_id=user.id)
        return user

    async def sign_in(self, email: str, password: SecretStr) -> User:
        """The user whose e-mail and password these are; raises `CredentialsInvalidError`, `PasswordQueueFullError`."""
        user = await self._users.find_by_email(email)
        verdict = await self._passwords.verify(password, user.password_hash if user else None)
        if user is None or not verdict.matches:
            raise CredentialsInvalidError
        if verdict.new_hash is not None:
            user.password_hash = verdict.new_hash
            with suppress(ConcurrentUpdateError):  # signing in elsewhere at the same time has done it
                await self._users.save(user)
        return user

    def open_session(self, user: User) -> str:
        """The first token of a new session."""
        return self._signer.sign(user_id=user.id, email=user.email, signed_in_at=utc_now(), session_id=new_id())

    def issue_token(self, user: User) -> str:
        """A token for programs, which stands alone."""
        return self._signer.sign(user_id=user.id, email=user.email, signed_in_at=utc_now())

    async def is_signed_out(self, caller: security.User) -> bool:
        """Whether the caller's session was ended, on whichever device that has a copy of its token."""
        return await self._revoked.contains(_session(caller))

    def renew_session(self, caller: security.User) -> str | None:
        """The session's next token; None while this one is young, when the session is too old, or when there is none.

        The caller has made sure that the session is not signed out.
        """
        if caller.session_id is None or not self._rules.renewal_due(
            signed_in_at=caller.signed_in_at, expires_at=caller.expires_at, now=utc_now()
        ):
            return None
        return self._signer.sign(
            user_id=caller.id, email=caller.email, signed_in_at=caller.signed_in_at, session_id=caller.session_id
        )

    async def sign_out(self, caller: security.User) -> None:
        """End the caller's session: no token of it is renewed from now on; again is the same."""
        await self._revoked.add(
            _session(caller), forgotten_at=self._rules.forgotten_at(signed_in_at=caller.signed_in_at)
        )
        log.info("signed out", user_id=caller.id)


def _session(caller: security.User) -> str:
    return caller.session_id or caller.token_id
