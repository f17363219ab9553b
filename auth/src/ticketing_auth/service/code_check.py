"""The check of a code of the second factor: counted, and accepted once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from ticketing_auth.domain import User
from ticketing_auth.enrolment import SecretVault
from ticketing_auth.errors import (
    CodeRefusedError,
    NoSecondFactorError,
    SecondFactorRequiredError,
    SecondFactorUnreadableError,
    TooManyCodesError,
    WrongCodeError,
)
from ticketing_auth.guesses import GuessLimit
from ticketing_auth.mail import MailKind, Mails
from ticketing_auth.repository import UserRepository
from ticketing_auth.second_factor import is_recovery_code, matching_step
from ticketing_common.entity import new_id, utc_now
from ticketing_common.errors import ConcurrentUpdateError, TicketingError
from ticketing_common.telemetry import SecurityEvent, get_logger, record_security_event

log = get_logger(__name__)


class CodeCheck:
    """Accepts codes. The account's compare-and-swap stores that a code was used, so of several concurrent uses of one
    code, at any replicas, exactly one succeeds.

    A code is counted before it is checked, and only after the right password, or within a session: no stranger can
    use up the count. Recovery codes are not counted: their 120 bits cannot be guessed (NIST SP 800-63B asks for a limit
    below 64), and they let an owner in whose count was used up with a stolen password.
    """

    def __init__(self, users: UserRepository, mails: Mails, vault: SecretVault, limit: GuessLimit) -> None:
        self._users: Final = users
        self._mails: Final = mails
        self._vault: Final = vault
        self._limit: Final = limit

    async def sign_in(self, user: User, code: str | None, *, device_id: str | None) -> User:
        """The account, after its code if it has a second factor. Its password was right.

        Raises `SecondFactorRequiredError` without a code, `CodeRefusedError`, `TooManyCodesError`,
        `SecondFactorUnreadableError`, and `ConcurrentUpdateError` if the account's sessions were ended meanwhile.
        """
        if user.second_factor is None:
            return user
        account = {"account_id": user.id}
        if code is None:
            raise SecondFactorRequiredError(account)

        def use(fresh: User) -> None:
            if fresh.session_epoch != user.session_epoch:  # the password or the factor may have changed
                raise ConcurrentUpdateError
            self.accept(fresh, code)

        try:
            async with self.counted(user, code, device_id=device_id):
                if not is_recovery_code(code):
                    return await self._users.change(user.id, use)
                async with self.announced(user, "recovery_code_used"):
                    changed = await self._users.change(user.id, use)
        except WrongCodeError:
            raise CodeRefusedError(account) from None
        record_security_event(SecurityEvent.RECOVERY_CODE_USED, account)
        return changed

    def accept(self, user: User, code: str) -> None:
        """Change the account as the use of this code does; storing it is the caller's part.

        Raises `WrongCodeError`, `NoSecondFactorError` and `SecondFactorUnreadableError`.
        """
        factor = user.second_factor
        if factor is None:
            raise NoSecondFactorError
        if is_recovery_code(code):
            user.second_factor = factor.without_recovery_code(code)
            user.second_factor_changes += 1
            if user.second_factor is None:
                raise WrongCodeError({"account_id": user.id})
            return
        opened = self._vault.open(factor.sealed_secret, account_id=user.id)
        if opened is None:
            log.error("second factor cannot be decrypted", account_id=user.id)
            raise SecondFactorUnreadableError
        step = matching_step(opened.secret, code, now=utc_now(), after=factor.last_step)
        if step is None:
            raise WrongCodeError({"account_id": user.id})
        sealed = self._vault.seal(opened.secret, account_id=user.id) if opened.is_outdated else factor.sealed_secret
        user.second_factor = replace(factor, last_step=step, sealed_secret=sealed)

    @asynccontextmanager
    async def counted(self, user: User, code: str, *, device_id: str | None) -> AsyncIterator[None]:
        """Count the code that this block checks, except a recovery code: it stays counted if the block raises
        `WrongCodeError`.

        If the process dies or the database fails, it stays counted, too. Raises `TooManyCodesError`; a mail tells the
        owner once a day, since another person may know the password.
        """
        if is_recovery_code(code):
            yield
            return
        guess = await self._limit.reserve(user.id, device_id=device_id)
        if not guess.admitted:
            fact = f"blocked-{user.id}-{utc_now():%Y-%m-%d}"
            values = {"change": "blocked", "changes": 0}
            await self._mails.request(MailKind.SECOND_FACTOR, user_id=user.id, fact=fact, values=values)
            raise TooManyCodesError({"account_id": user.id}, retry_after_seconds=guess.retry_after_seconds)
        try:
            yield
        except WrongCodeError:
            raise
        except TicketingError:  # the code was not checked
            await self._limit.release(user.id, guess)
            raise
        await self._limit.release(user.id, guess)

    @asynccontextmanager
    async def announced(self, user: User, change: str) -> AsyncIterator[None]:
        """Tell the owner by mail about the change that this block makes, which adds to `second_factor_changes`."""
        values = {"change": change, "changes": user.second_factor_changes + 1}
        async with self._mails.announcing(MailKind.SECOND_FACTOR, user_id=user.id, fact=new_id(), values=values):
            yield
