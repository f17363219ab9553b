"""The use cases of auth: sign up, sign in, stay signed in, sign out."""

from contextlib import suppress
from datetime import timedelta

from pydantic import SecretStr

from ticketing_common import security
from ticketing_common.entity import new_id, utc_now
from ticketing_common.errors import ConcurrentUpdateError
from ticketing_common.storage import DatabaseUnavailableError
from ticketing_common.telemetry import SecurityEvent, get_logger, record_security_event
from ticketing_common.web import quota

from .derived_keys import AccountNames, DeviceTokens
from .domain import DEVICE_DAYS, SESSION_DAYS, GuessRules, SessionRules, User
from .errors import CredentialsInvalidError, PasswordQueueFullError, TooManyGuessesError
from .passwords import CommonPasswords, PasswordHasher
from .repository import Guess, PasswordGuesses, RevokedSessions, UserRepository
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
        guesses: PasswordGuesses,
        signer: security.TokenSigner,
        settings: Settings,
    ) -> None:
        secret = settings.jwt_key.get_secret_value()
        limit = quota(settings.rate_limit_guesses)
        self._users = users
        self._revoked = revoked
        self._passwords = passwords
        self._common_passwords = CommonPasswords()
        self._guesses = guesses
        self._guess_rules = GuessRules.of(limit.amount, limit.window) if limit else None
        self._names = AccountNames(secret)
        self._devices = DeviceTokens(secret, lifetime=timedelta(days=DEVICE_DAYS))
        self._signer = signer
        self._rules = SessionRules(
            lifetime=timedelta(minutes=settings.session_minutes), renewable=timedelta(days=SESSION_DAYS)
        )

    async def sign_up(self, email: str, password: SecretStr) -> User:
        """Make an account.

        Raises `PasswordCommonError`, `PasswordIsEmailError`, `EmailTakenError` and `PasswordQueueFullError`.
        """
        self._common_passwords.check_new(password, email=email)
        user = User(email=email, password_hash=await self._passwords.hash(password))
        await self._users.add(user)
        record_security_event(SecurityEvent.ACCOUNT_CREATED, {"account_id": user.id})
        return user

    async def sign_in(self, email: str, password: SecretStr, *, device_token: str | None = None) -> User:
        """The user whose e-mail and password these are; raises what `check_password` raises."""
        user = await self.check_password(email, password, device_token=device_token)
        record_security_event(SecurityEvent.SIGN_IN_SUCCEEDED, {"account_id": user.id})
        return user

    async def check_password(self, email: str, password: SecretStr, *, device_token: str | None = None) -> User:
        """The user whose e-mail and password these are: the only way in which a given password is judged.

        The guess is counted before it is judged, so parallel guesses cannot pass the limit, and taken back when it was
        right. Should that fail, or this process die, it counts as wrong until it leaves the window. An e-mail without
        an account takes the same steps. `device_token` is what the browser has from an earlier sign-in.

        Raises `CredentialsInvalidError`, `TooManyGuessesError`, `PasswordQueueFullError`, and what the driver raises
        when the database is away: without the count nothing is judged.
        """
        name = self.account_name(email)
        user = await self._users.find_by_email(email)
        account = {"account_id": user.id if user else None, "account_key": None if user else name}
        device_id = self._devices.read(device_token, user.id if user else None)
        guess = await self._reserve(name, device_id)
        if guess is not None and not guess.admitted:
            raise TooManyGuessesError(account, retry_after_seconds=guess.retry_after_seconds)
        try:
            verdict = await self._passwords.verify(password, user.password_hash if user else None)
        except PasswordQueueFullError:
            await self._release(name, guess)
            raise
        if user is None or not verdict.matches:
            raise CredentialsInvalidError(account)
        await self._release(name, guess)
        if verdict.new_hash is not None:
            user.password_hash = verdict.new_hash
            with suppress(ConcurrentUpdateError):  # signing in elsewhere at the same time has done it
                await self._users.save(user)
        return user

    async def _reserve(self, name: str, device_id: str | None) -> Guess | None:
        if self._guess_rules is None:
            return None
        return await self._guesses.reserve(name, self._guess_rules, device_id=device_id)

    async def _release(self, name: str, guess: Guess | None) -> None:
        if guess is None:
            return
        try:
            await self._guesses.release(name, guess.id)
        except DatabaseUnavailableError as error:  # the password is right all the same
            log.warning("a guess that was not wrong stays counted", error=repr(error))

    def account_name(self, email: str) -> str:
        """A keyed hash of the e-mail, the same whether it has an account or not."""
        return self._names.of(email)

    def device_token(self, user: User, known: str | None = None) -> str:
        """For the browser that has just signed in; `known` is the token that it brought, whose device it stays."""
        return self._devices.sign(user.id, self._devices.read(known, user.id))

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
