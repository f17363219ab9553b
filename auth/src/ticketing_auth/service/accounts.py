"""The use cases of an account's owner: confirm the e-mail, set the password, end sessions, export, delete."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex
from typing import Final

from pydantic import SecretStr

from ticketing_auth.domain import TokenPurpose, User
from ticketing_auth.errors import (
    AccountDeletedError,
    AccountInUseError,
    CredentialsInvalidError,
    SessionEndedError,
    SessionNotFoundError,
    TokenSpentError,
    WrongPasswordError,
)
from ticketing_auth.guesses import GuessLimit
from ticketing_auth.mail import MailKind, Mails
from ticketing_auth.obligations import Obligations
from ticketing_auth.open_sessions import OpenSession, OpenSessions
from ticketing_auth.publishers import sessions_revoked, user_deleted
from ticketing_auth.repository import OneTimeToken, OneTimeTokens, UserRepository
from ticketing_common.entity import utc_now
from ticketing_common.events import RevocationReason, UserDeleted, UserSessionsRevoked
from ticketing_common.telemetry import SecurityEvent, record_security_event

from .sessions import AuthService


@dataclass(frozen=True, slots=True)
class Export:
    """What this service holds about one person."""

    user: User
    wrong_passwords: Sequence[datetime]
    wrong_codes: Sequence[datetime]
    tokens: Sequence[OneTimeToken]
    mails: Sequence[tuple[MailKind, datetime]]
    sessions: Sequence[OpenSession]


class AccountService:
    """Changes accounts. Whatever ends sessions here also reaches the other services, by `user.sessions_revoked`.

    A one-time token is bound to the present password. The account's compare-and-swap decides which use of a token to
    reset the password is the first, since that use changes the password.
    """

    def __init__(
        self,
        users: UserRepository,
        tokens: OneTimeTokens,
        open_sessions: OpenSessions,
        mails: Mails,
        obligations: Obligations,
        *,
        guesses: GuessLimit,
        code_guesses: GuessLimit,
        auth: AuthService,
    ) -> None:
        self._obligations: Final = obligations
        self._users: Final = users
        self._tokens: Final = tokens
        self._open_sessions: Final = open_sessions
        self._mails: Final = mails
        self._guesses: Final = guesses
        self._code_guesses: Final = code_guesses
        self._auth: Final = auth

    async def request_verification(self, user: User) -> None:
        """Send a mail with a link that confirms the e-mail, unless it is confirmed."""
        if not user.email_verified:
            await self._mails.request(MailKind.VERIFY, user_id=user.id, fact=token_hex(8))

    async def confirm_verification(self, token: str) -> User:
        """Note that the owner reads the mails of this address; idempotent while the token is valid.

        The first use decides, and a further one finds the address confirmed: its reader sees that instead of an error.
        Raises `TokenSpentError`.
        """
        found = await self._tokens.find(TokenPurpose.VERIFY_EMAIL, token)
        user = await self._holder(found)
        if user.email_verified:
            return user

        def verify(fresh: User) -> None:
            if found is None or not found.fits(fresh):
                raise TokenSpentError
            fresh.email_verified = True

        user = await self._users.change(user.id, verify)
        record_security_event(SecurityEvent.EMAIL_VERIFIED, {"account_id": user.id})
        return user

    async def request_reset(self, email: str) -> None:
        """Send a mail with a link that sets a new password, if this e-mail has an account.

        The same database calls are made for an e-mail without an account, so the time tells nothing: the request is
        then about an id that no account has, and the mail worker drops it.
        """
        user = await self._users.find_by_email(email)
        account = user or User(email=email, password_hash=token_hex(8))
        await self._mails.request(
            MailKind.RESET, user_id=account.id, fact=token_hex(8), values={"password_key": account.password_key}
        )
        record_security_event(
            SecurityEvent.RESET_REQUESTED,
            {"account_id": user.id if user else None, "account_key": None if user else self._auth.account_name(email)},
        )

    async def confirm_reset(self, token: str, password: SecretStr) -> User:
        """Set a new password with the token of a mail, and end all sessions. This also confirms the e-mail.

        A password that is refused leaves the token valid. Raises `TokenSpentError`, and what `new_hash` raises.
        """
        found = await self._tokens.find(TokenPurpose.RESET_PASSWORD, token)
        user = await self._holder(found)
        new_hash = await self._auth.new_hash(password, email=user.email)

        def check(fresh: User) -> None:
            if found is None or not found.fits(fresh):
                raise TokenSpentError
            fresh.email_verified = True

        user = await self._set_password(user, new_hash, RevocationReason.PASSWORD_RESET, check)
        record_security_event(SecurityEvent.PASSWORD_RESET, {"account_id": user.id})
        return user

    async def change_password(self, checked: User, password: SecretStr) -> User:
        """Replace the password, and end all sessions. `checked` is what `check_password` has just returned.

        Raises what `new_hash` raises.
        """
        new_hash = await self._auth.new_hash(password, email=checked.email)

        def check(fresh: User) -> None:
            if fresh.password_key != checked.password_key:
                raise SessionEndedError  # another change was faster, and has ended this session

        changed = await self._set_password(checked, new_hash, RevocationReason.PASSWORD_CHANGED, check)
        record_security_event(SecurityEvent.PASSWORD_CHANGED, {"account_id": checked.id})
        return changed

    async def sign_out_everywhere(self, user: User) -> None:
        """End every session and every API token of the account."""
        await self.end_sessions(user.id, RevocationReason.SIGNED_OUT, lambda _fresh: None)

    async def end_sessions_of(self, account_id: str) -> str:
        """An operator's command: end every session and every API token of an account. Returns what was done.

        Raises `NotFoundError`, also for a deleted account (`AccountDeletedError`).
        """
        try:
            # The event has a reason that replicas of earlier releases know: they would drop one with another reason.
            await self.end_sessions(account_id, RevocationReason.SIGNED_OUT, lambda _fresh: None, cause="operator")
        except SessionEndedError:
            raise AccountDeletedError(account_id) from None
        return f"all sessions of account {account_id} ended"

    async def list_sessions(self, user: User) -> list[OpenSession]:
        """The account's open sessions, the last renewed first."""
        return await self._open_sessions.list_of_user(user.id, epoch=user.session_epoch)

    async def end_session(self, user: User, session_id: str) -> None:
        """End one of the account's open sessions, after its password. Raises `SessionNotFoundError`."""
        session = await self._open_sessions.find(session_id, user_id=user.id, epoch=user.session_epoch)
        if session is None:
            raise SessionNotFoundError
        await self._auth.end_session(
            session.id, user_id=user.id, signed_in_at=session.created_at, reason="ended_by_owner"
        )

    async def export(self, user: User) -> Export:
        """What this service holds about the account, without secrets."""
        found = await asyncio.gather(
            self._guesses.list_of(self._auth.account_name(user.email)),
            self._code_guesses.list_of(user.id),
            self._tokens.list_of_user(user.id),
            self._mails.list_of_account(user.id),
            self.list_sessions(user),
        )
        return Export(user, *found)

    async def delete(self, user: User) -> None:
        """Delete the account with its personal data, and end all its sessions, after its password; final.

        What this removes after the account itself holds no address, and expires by itself if this process dies before.
        Raises `AccountInUseError`.
        """
        holds, sales = await asyncio.gather(
            self._obligations.count_holds(user.id), self._obligations.count_sales_to_come(user.id)
        )
        if holds or sales:
            raise AccountInUseError(holds=holds, sales=sales)
        now = utc_now()

        def leave(fresh: User) -> Callable[[User], UserDeleted]:
            if fresh.deleted_at is not None:
                raise SessionEndedError
            fresh.delete(self._auth.rules, now=now)
            return user_deleted

        await self._users.update(user.id, leave)
        record_security_event(SecurityEvent.ACCOUNT_DELETED, {"account_id": user.id})
        await self._tokens.remove_of_user(user.id)
        await self._open_sessions.remove_of_user(user.id)
        await self._mails.forget_account(user.id)

    async def check_password(self, user: User, password: SecretStr, *, field: str, device_token: str | None) -> User:
        """The account, after its present password, which was given in the request's field `field`.

        Raises `WrongPasswordError`, and what the check of a sign-in raises.
        """
        try:
            return await self._auth.check_password(user.email, password, device_token=device_token)
        except CredentialsInvalidError as error:
            raise WrongPasswordError(error.security_fields, field=field) from None

    async def _holder(self, token: OneTimeToken | None) -> User:
        user = await self._users.find(token.user_id) if token else None
        if token is None or user is None or not token.fits(user):
            raise TokenSpentError
        return user

    async def _set_password(
        self, user: User, new_hash: str, reason: RevocationReason, check: Callable[[User], None]
    ) -> User:
        """Store the new hash, and send a mail about it. `check` raises if the account has changed meanwhile."""

        def change(fresh: User) -> None:
            check(fresh)
            fresh.password_hash = new_hash
            fresh.pending_factor = None  # begun by a caller who knew the former password

        announcement = self._mails.announcing(
            MailKind.PASSWORD_CHANGED,
            user_id=user.id,
            fact=f"{user.id}-{token_hex(8)}",
            values={"session_epoch": user.session_epoch + 1},
        )
        async with announcement:
            changed = await self.end_sessions(user.id, reason, change)
        await self._tokens.remove_of_user(user.id)
        return changed

    async def end_sessions(
        self, user_id: str, reason: RevocationReason, change: Callable[[User], None], *, cause: str | None = None
    ) -> User:
        """Change the account, and end all its sessions, in one write. `cause` is for the security log, if it differs
        from the reason.

        Raises `SessionEndedError` if the account is deleted, and what `change` raises.
        """
        now = utc_now()

        def apply(fresh: User) -> Callable[[User], UserSessionsRevoked]:
            if fresh.deleted_at is not None:
                raise SessionEndedError
            change(fresh)
            fresh.revoke_sessions(reason, self._auth.rules, now=now)
            return sessions_revoked

        user = await self._users.update(user_id, apply)
        record_security_event(SecurityEvent.SESSIONS_REVOKED, {"account_id": user_id, "reason": cause or reason.value})
        return user
