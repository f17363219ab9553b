"""The use cases of auth: sign-up, sign-in, session renewal and sign-out."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from pydantic import SecretStr

from ticketing_auth.derived_keys import AccountNames, DeviceTokens
from ticketing_auth.domain import DEVICE_DAYS, SESSION_DAYS, SessionRules, User
from ticketing_auth.errors import (
    CredentialsInvalidError,
    PasswordQueueFullError,
    SessionEndedError,
    TooManyGuessesError,
)
from ticketing_auth.guesses import GuessLimit
from ticketing_auth.open_sessions import OpenSession, OpenSessions
from ticketing_auth.passwords import BreachedPasswords, CommonPasswords, PasswordHasher
from ticketing_auth.publishers import session_ended
from ticketing_auth.repository import RevokedSessions, UserRepository
from ticketing_auth.settings import Settings
from ticketing_common import security
from ticketing_common.entity import new_id, utc_now
from ticketing_common.errors import ConcurrentUpdateError, NotFoundError
from ticketing_common.events import UserSessionEnded
from ticketing_common.telemetry import SecurityEvent, record_security_event

from .code_check import CodeCheck


class AuthService:
    """Manages accounts, and issues the tokens that the other services accept.

    A browser's session is a chain of tokens with one session id; each token renews the one before. An API token has no
    session id and is never renewed, even if it is sent as a cookie.
    """

    def __init__(
        self,
        users: UserRepository,
        revoked: RevokedSessions,
        open_sessions: OpenSessions,
        passwords: PasswordHasher,
        guesses: GuessLimit,
        codes: CodeCheck,
        signer: security.TokenSigner,
        settings: Settings,
        breached: BreachedPasswords | None = None,
    ) -> None:
        secret = settings.jwt_key.get_secret_value()
        self._users = users
        self._revoked = revoked
        self._open_sessions = open_sessions
        self._passwords = passwords
        self._common_passwords = CommonPasswords()
        self._breached_passwords = breached or BreachedPasswords(None)
        self._guesses = guesses
        self._codes = codes
        self._names = AccountNames(secret)
        self._devices = DeviceTokens(secret, lifetime=timedelta(days=DEVICE_DAYS))
        self._signer = signer
        self.rules: Final = SessionRules(
            lifetime=timedelta(minutes=settings.session_minutes), renewable=timedelta(days=SESSION_DAYS)
        )

    async def sign_up(self, email: str, password: SecretStr) -> User:
        """Create an account.

        Raises `EmailTakenError`, and what `new_hash` raises.
        """
        user = User(email=email, password_hash=await self.new_hash(password, email=email))
        await self._users.add(user)
        record_security_event(SecurityEvent.ACCOUNT_CREATED, {"account_id": user.id})
        return user

    async def new_hash(self, password: SecretStr, *, email: str) -> str:
        """The hash of a new password of the account with this e-mail.

        Raises `PasswordCommonError`, `PasswordIsEmailError`, `PasswordBreachedError` and `PasswordQueueFullError`.
        """
        self._common_passwords.check_new(password, email=email)
        await self._breached_passwords.check_new(password)
        return await self._passwords.hash(password)

    async def sign_in(
        self, email: str, password: SecretStr, *, code: str | None = None, device_token: str | None = None
    ) -> User:
        """The user with this e-mail and password, and with this code if the account has a second factor.

        Every sign-in goes through this method. A wrong password reveals nothing about the second factor. Raises what
        `check_password` and `CodeCheck.sign_in` raise.
        """
        user = await self.check_password(email, password, device_token=device_token)
        user = await self._codes.sign_in(user, code, device_id=self.device_id(device_token, user))
        record_security_event(SecurityEvent.SIGN_IN_SUCCEEDED, {"account_id": user.id})
        return user

    async def check_password(self, email: str, password: SecretStr, *, device_token: str | None = None) -> User:
        """The user with this e-mail and password. Every check of a given password goes through this method.

        The guess is counted before the password is checked, so concurrent guesses cannot exceed the limit. A right
        guess is removed again. If its removal fails, or this process dies, it counts as wrong until it leaves the
        window. An e-mail without an account takes the same steps. `device_token` is the browser's token from an earlier
        sign-in.

        Raises `CredentialsInvalidError`, `TooManyGuessesError`, `PasswordQueueFullError`, and the driver's errors while
        the database is unavailable: without the count no password is checked.
        """
        name = self.account_name(email)
        user = await self._users.find_by_email(email)
        account = {"account_id": user.id if user else None, "account_key": None if user else name}
        device_id = self.device_id(device_token, user)
        guess = await self._guesses.reserve(name, device_id=device_id)
        if not guess.admitted:
            raise TooManyGuessesError(account, retry_after_seconds=guess.retry_after_seconds)
        try:
            verdict = await self._passwords.verify(password, user.password_hash if user else None)
        except PasswordQueueFullError:
            await self._guesses.release(name, guess)
            raise
        if user is None or not verdict.matches:
            raise CredentialsInvalidError(account)
        await self._guesses.release(name, guess)
        if verdict.new_hash is not None:
            user.password_hash = verdict.new_hash
            with suppress(ConcurrentUpdateError):  # a concurrent sign-in has stored it
                await self._users.save(user)
        return user

    def account_name(self, email: str) -> str:
        """A keyed hash of the e-mail, which need not have an account."""
        return self._names.of(email)

    def device_id(self, device_token: str | None, user: User | None) -> str | None:
        """The id of a browser's device, if its token is one of this account's."""
        return self._devices.read(device_token, user.id if user else None)

    def device_token(self, user: User, known: str | None = None) -> str:
        """A device token for a browser that has just signed in. It keeps the device of `known`, the browser's token."""
        return self._devices.sign(user.id, self._devices.read(known, user.id))

    async def open_session(self, user: User, *, device: str | None = None) -> str:
        """The first token of a new session. `device` is its label in the owner's list of sessions."""
        session_id, now = new_id(), utc_now()
        await self._list_session(user, session_id, signed_in_at=now, device=device)
        return self._sign(user, signed_in_at=now, session_id=session_id)

    async def _list_session(self, user: User, session_id: str, *, signed_in_at: datetime, device: str | None) -> None:
        now = utc_now()
        await self._open_sessions.store(
            OpenSession(
                id=session_id,
                user_id=user.id,
                session_epoch=user.session_epoch,
                device=device,
                created_at=signed_in_at,
                renewed_at=now,
                expires_at=now + self.rules.lifetime,
            )
        )

    def issue_token(self, user: User) -> str:
        """A token for programs, without a session."""
        return self._sign(user, signed_in_at=utc_now())

    def _sign(self, user: User, *, signed_in_at: datetime, session_id: str | None = None) -> str:
        return self._signer.sign(
            user_id=user.id,
            email=user.email,
            email_verified=user.email_verified,
            session_epoch=user.session_epoch,
            signed_in_at=signed_in_at,
            session_id=session_id,
        )

    async def find_account(self, caller: security.User) -> User | None:
        """The caller's account as the database has it now. None if the session was ended in any way, on any device.

        The database decides, so this holds at once, and without the event bus.
        """
        user, is_signed_out = await asyncio.gather(
            self._users.find(caller.id), self._revoked.contains(caller.session_key)
        )
        if user is None or is_signed_out:
            return None
        return user if user.has_session(epoch=caller.session_epoch, signed_in_at=caller.signed_in_at) else None

    async def get_account(self, caller: security.User) -> User:
        """As `find_account`; raises `SessionEndedError`."""
        user = await self.find_account(caller)
        if user is None:
            raise SessionEndedError
        return user

    async def renew_session(self, caller: security.User, user: User, *, device: str | None = None) -> str | None:
        """The session's next token. None if this token is young and still true, if the session is too old, or if there
        is no session.

        `user` is what `find_account` has just returned, so that no token is renewed after a revocation.
        """
        if caller.session_id is None:
            return None
        is_outdated = caller.email_verified != user.email_verified
        if not self.rules.renewal_due(
            signed_in_at=caller.signed_in_at, expires_at=caller.expires_at, now=utc_now(), is_outdated=is_outdated
        ):
            return None
        await self._list_session(user, caller.session_id, signed_in_at=caller.signed_in_at, device=device)
        return self._sign(user, signed_in_at=caller.signed_in_at, session_id=caller.session_id)

    async def sign_out(self, caller: security.User) -> None:
        """End the caller's session, or API token, at every service; idempotent."""
        await self.end_session(
            caller.session_key, user_id=caller.id, signed_in_at=caller.signed_in_at, reason="signed_out"
        )

    async def end_session(self, session_id: str, *, user_id: str, signed_in_at: datetime, reason: str) -> None:
        """End one session of an account at every service; idempotent.

        From the first write on, auth accepts and renews none of its tokens. The second one makes the event for the
        other services. If the process dies between the two, the session stays in the owner's list, and the next call
        publishes the event.
        """
        now = utc_now()
        if await self._revoked.add(session_id, forgotten_at=self.rules.forgotten_at(signed_in_at=signed_in_at)):
            publish = session_ended(session_id, ended_at=now, tokens_end_at=self.rules.tokens_end_at(revoked_at=now))

            def end(user: User) -> Callable[[User], UserSessionEnded] | None:
                return publish if user.deleted_at is None else None  # all sessions of a deleted account are over

            with suppress(NotFoundError):
                await self._users.update(user_id, end)
            await self._revoked.published(session_id)
            record_security_event(SecurityEvent.SESSION_ENDED, {"account_id": user_id, "reason": reason})
        await self._open_sessions.remove(session_id)
