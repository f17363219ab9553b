"""The values of the mails about an account, made when a mail is rendered."""

from collections.abc import Mapping
from typing import Any

from ticketing_auth.domain import TOKEN_MINUTES, TokenPurpose, User
from ticketing_auth.mail import Mail, MailKind, Values
from ticketing_auth.repository import OneTimeTokens


def account_mails(tokens: OneTimeTokens) -> Mapping[MailKind, Values]:
    """For each kind of mail about an account, the function that makes its values: `token` and `minutes` for a link.

    A token exists in the mail only; each attempt to send the mail makes a new one.
    """

    async def verify(_mail: Mail, user: User) -> Mapping[str, Any] | None:
        if user.email_verified:
            return None
        return {"token": await tokens.mint(TokenPurpose.VERIFY_EMAIL, user), "minutes": TOKEN_MINUTES}

    async def reset(mail: Mail, user: User) -> Mapping[str, Any] | None:
        """None if the password has changed since the request: a late link would permit one more change.

        A request of the version before has no `password_key`.
        """
        if mail.values.get("password_key", user.password_key) != user.password_key:
            return None
        return {"token": await tokens.mint(TokenPurpose.RESET_PASSWORD, user), "minutes": TOKEN_MINUTES}

    async def password_changed(mail: Mail, user: User) -> Mapping[str, Any] | None:
        """None if the process died before it stored the change that the mail announces."""
        return {} if user.session_epoch >= mail.values["session_epoch"] else None

    async def second_factor(mail: Mail, user: User) -> Mapping[str, Any] | None:
        """None if the process died before it stored the change that the mail announces, and no other was made since."""
        return mail.values if user.second_factor_changes >= mail.values["changes"] else None

    return {
        MailKind.VERIFY: verify,
        MailKind.RESET: reset,
        MailKind.PASSWORD_CHANGED: password_changed,
        MailKind.SECOND_FACTOR: second_factor,
    }
