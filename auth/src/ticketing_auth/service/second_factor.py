"""The use cases of an account's owner for the second factor: set it up, replace its recovery codes, turn it off."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from ticketing_auth.domain import User
from ticketing_auth.enrolment import SecretVault, new_secret, otpauth_uri
from ticketing_auth.errors import (
    AccountDeletedError,
    NoEnrolmentError,
    NoSecondFactorError,
    SecondFactorOnError,
    SecondFactorUnreadableError,
    SessionEndedError,
    WrongCodeError,
)
from ticketing_auth.repository import UserRepository
from ticketing_auth.second_factor import (
    ENROLMENT,
    PendingFactor,
    SecondFactor,
    hashes_of,
    matching_step,
    new_recovery_codes,
)
from ticketing_common.entity import utc_now
from ticketing_common.events import RevocationReason
from ticketing_common.telemetry import SecurityEvent, record_security_event

from .accounts import AccountService
from .code_check import CodeCheck
from .sessions import AuthService


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A new secret in base32, and as the address that authenticator apps read. Both are secret."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)
    expires_at: datetime


class SecondFactorService:
    """Each change of the factor is one write of the account, which also ends all sessions (OWASP ASVS 5.0, V7.4.3), and
    its owner gets a mail about it.
    """

    def __init__(
        self, users: UserRepository, accounts: AccountService, auth: AuthService, codes: CodeCheck, vault: SecretVault
    ) -> None:
        self._users: Final = users
        self._accounts: Final = accounts
        self._auth: Final = auth
        self._codes: Final = codes
        self._vault: Final = vault

    async def begin(self, user: User) -> Enrolment:
        """Store a new secret, after the password. It replaces an unconfirmed one. Sign-ins ask for it after `confirm`.

        Raises `SecondFactorOnError`.
        """
        secret = new_secret()
        sealed = self._vault.seal(secret, account_id=user.id)
        pending = PendingFactor(sealed_secret=sealed, expires_at=utc_now() + ENROLMENT)

        def enrol(fresh: User) -> None:
            _check_session(fresh, user)
            if fresh.second_factor is not None:
                raise SecondFactorOnError
            fresh.pending_factor = pending

        await self._users.change(user.id, enrol)
        return Enrolment(secret, otpauth_uri(secret, email=user.email), pending.expires_at)

    async def confirm(self, user: User, code: str, *, device_token: str | None) -> tuple[User, list[str]]:
        """Turn the factor on with the first code of its secret. Returns the account and its recovery codes.

        Raises `SecondFactorOnError`, `NoEnrolmentError`, `WrongCodeError` and `TooManyCodesError`.
        """
        _waiting(user)
        recovery_codes = new_recovery_codes()
        hashes = hashes_of(recovery_codes)

        def turn_on(fresh: User) -> None:
            _check_session(fresh, user)
            pending, now = _waiting(fresh), utc_now()
            opened = self._vault.open(pending.sealed_secret, account_id=user.id)
            if opened is None:
                raise SecondFactorUnreadableError
            step = matching_step(opened.secret, code, now=now)
            if step is None:
                raise WrongCodeError({"account_id": user.id})
            fresh.pending_factor = None
            fresh.second_factor = SecondFactor(
                sealed_secret=pending.sealed_secret, enabled_at=now, last_step=step, recovery_hashes=hashes
            )

        async with self._codes.counted(user, code, device_id=self._auth.device_id(device_token, user)):
            changed = await self._change(user, "on", turn_on)
        record_security_event(SecurityEvent.SECOND_FACTOR_ENABLED, {"account_id": user.id})
        return changed, recovery_codes

    async def replace_recovery_codes(
        self, user: User, code: str, *, device_token: str | None
    ) -> tuple[User, list[str]]:
        """Void the recovery codes. Returns the account and new ones. Raises as `turn_off` does."""
        recovery_codes = new_recovery_codes()

        def renew(fresh: User) -> None:
            if fresh.second_factor is not None:
                fresh.second_factor = fresh.second_factor.with_recovery_codes(recovery_codes)

        changed = await self._with_code(user, code, "recovery_codes", renew, device_token=device_token)
        record_security_event(SecurityEvent.RECOVERY_CODES_REPLACED, {"account_id": user.id})
        return changed, recovery_codes

    async def turn_off(self, user: User, code: str, *, device_token: str | None) -> User:
        """Remove the factor, after the password and a code of it or a recovery code.

        Raises `NoSecondFactorError`, `WrongCodeError`, `TooManyCodesError` and `SecondFactorUnreadableError`.
        """
        changed = await self._with_code(user, code, "off", _remove, device_token=device_token)
        record_security_event(SecurityEvent.SECOND_FACTOR_DISABLED, {"account_id": user.id, "reason": "owner"})
        return changed

    async def reset(self, account_id: str) -> str:
        """An operator's command: turn the factor off for an owner who has lost it, and end all sessions.

        Returns what was done. Raises `NotFoundError`, also for a deleted account (`AccountDeletedError`).
        """
        user = await self._users.get(account_id)
        if user.second_factor is None and user.deleted_at is None:
            return f"account {user.id} has no second factor"
        try:
            await self._change(user, "reset", _remove, cause="operator")
        except SessionEndedError:
            raise AccountDeletedError(account_id) from None
        record_security_event(SecurityEvent.SECOND_FACTOR_DISABLED, {"account_id": user.id, "reason": "operator"})
        return f"the second factor of account {user.id} is off, and all its sessions ended"

    async def _with_code(
        self, user: User, code: str, name: str, change: Callable[[User], None], *, device_token: str | None
    ) -> User:
        if user.second_factor is None:
            raise NoSecondFactorError

        def apply(fresh: User) -> None:
            _check_session(fresh, user)
            self._codes.accept(fresh, code)
            change(fresh)

        async with self._codes.counted(user, code, device_id=self._auth.device_id(device_token, user)):
            return await self._change(user, name, apply)

    async def _change(
        self, user: User, name: str, change: Callable[[User], None], *, cause: str = "second_factor"
    ) -> User:
        def apply(fresh: User) -> None:
            change(fresh)
            fresh.second_factor_changes += 1

        async with self._codes.announced(user, name):
            # Replicas of earlier releases know this reason; they would drop an event with another one.
            return await self._accounts.end_sessions(user.id, RevocationReason.SIGNED_OUT, apply, cause=cause)


def _check_session(fresh: User, user: User) -> None:
    """Raises `SessionEndedError` if all sessions were ended since `user` was read, for example by a new password."""
    if fresh.session_epoch != user.session_epoch:
        raise SessionEndedError


def _waiting(user: User) -> PendingFactor:
    if user.second_factor is not None:
        raise SecondFactorOnError
    if user.pending_factor is None or user.pending_factor.expires_at <= utc_now():
        raise NoEnrolmentError
    return user.pending_factor


def _remove(user: User) -> None:
    user.second_factor = None
    user.pending_factor = None
