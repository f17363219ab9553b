"""JSON of accounts and sessions. Requests contain passwords, responses never do."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Final, Literal, Self, TypeAlias

from email_validator import EmailNotValidError
from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from ticketing_common.entity import utc_now
from ticketing_common.web import ApiModel, RequestModel

from .domain import TokenPurpose, normalized_email
from .mail import MailKind
from .service import Export
from .session_schemas import ExportedSession

__all__ = [
    "AccountResponse",
    "ChangePasswordRequest",
    "ConfirmRequest",
    "CurrentUserResponse",
    "DeleteAccountRequest",
    "EmptyResponse",
    "EndSessionRequest",
    "ExportResponse",
    "ResetPasswordRequest",
    "ResetRequest",
    "SignInRequest",
    "SignUpRequest",
    "TokenForm",
    "TokenResponse",
    "UserResponse",
]

MIN_PASSWORD: Final = 8
MAX_PASSWORD: Final = 128
MAX_TOKEN: Final = 128
"""Characters; ours have 43."""
MAX_EMAIL: Final = 254
"""RFC 5321 §4.5.3.1.3: a path has 256 octets, two of them its angle brackets."""

MAX_LOCAL_PART: Final = 64
"""Octets, before the @ (RFC 5321 §4.5.3.1.1)."""


def _email(value: str) -> str:
    try:
        return normalized_email(value)
    except EmailNotValidError as error:
        raise PydanticCustomError("email", "{reason}", {"reason": str(error)}) from None


def _new_email(value: str) -> str:
    """The normal form of an e-mail that mail servers must accept. Older accounts may have a longer local part."""
    email = _email(value)
    if len(email.rpartition("@")[0].encode()) > MAX_LOCAL_PART:
        raise PydanticCustomError(
            "email_local_part",
            "The part of the e-mail before the @ should have at most {maximum} bytes",
            {"maximum": MAX_LOCAL_PART},
        )
    return email


def _email_or_other(value: str) -> str:
    """The normal form of an e-mail. Other text stays unchanged, so that it fails like an unknown e-mail."""
    with suppress(EmailNotValidError):
        return normalized_email(value)
    return value


def _password(minimum: int) -> Callable[[SecretStr], SecretStr]:
    def check(value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if not minimum <= len(text) <= MAX_PASSWORD:
            raise PydanticCustomError(
                "password_length",
                "Password should have {minimum} to {maximum} characters",
                {"minimum": minimum, "maximum": MAX_PASSWORD},
            )
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            # JSON can escape a lone surrogate (RFC 8259 §8.2), which cannot be encoded and hashed.
            raise PydanticCustomError("password_text", "Password should be valid Unicode")
        return value

    return check


def _password_schema(minimum: int) -> WithJsonSchema:
    return WithJsonSchema(
        {"type": "string", "format": "password", "writeOnly": True, "minLength": minimum, "maxLength": MAX_PASSWORD}
    )


_EMAIL_LENGTH: Final = StringConstraints(strip_whitespace=True, max_length=MAX_EMAIL)
"""Checked before normalisation, whose time grows with the square of the length: 64 KB of marks take seconds."""

Email: TypeAlias = Annotated[
    str,
    _EMAIL_LENGTH,
    AfterValidator(_email),
    WithJsonSchema({"type": "string", "format": "email", "maxLength": MAX_EMAIL}),
]
NewEmail: TypeAlias = Annotated[
    str,
    _EMAIL_LENGTH,
    AfterValidator(_new_email),
    WithJsonSchema({"type": "string", "format": "email", "maxLength": MAX_EMAIL}),
]
NewPassword: TypeAlias = Annotated[SecretStr, AfterValidator(_password(MIN_PASSWORD)), _password_schema(MIN_PASSWORD)]
GivenPassword: TypeAlias = Annotated[SecretStr, AfterValidator(_password(1)), _password_schema(1)]
"""An existing password. The rules for new passwords do not apply, so that they lock out no account."""


class SignUpRequest(RequestModel):
    """A new account. Spaces around a password are part of it."""

    model_config = ConfigDict(str_strip_whitespace=False)

    email: NewEmail
    password: NewPassword


class SignInRequest(RequestModel):
    """The credentials of an account."""

    model_config = ConfigDict(str_strip_whitespace=False)

    email: Email
    password: GivenPassword


class TokenForm(BaseModel):
    """The resource owner password credentials of OAuth 2.0 (RFC 6749 §4.3.2); `username` is the e-mail.

    Unknown parameters are ignored, as §3.2 requires.
    """

    grant_type: Literal["password"] = "password"
    username: Annotated[str, _EMAIL_LENGTH, AfterValidator(_email_or_other)]
    password: GivenPassword


class TokenResponse(ApiModel):
    """The names are those of RFC 6749 §5.1; `expires_in` is in seconds."""

    model_config = ConfigDict(alias_generator=None)

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 (the kind of a token is no secret)
    expires_in: int


class UserResponse(ApiModel):
    """The representation of an account for its owner."""

    id: str
    email: str


class AccountResponse(UserResponse):
    """The account as the pages of its owner show it."""

    email_verified: bool


class CurrentUserResponse(ApiModel):
    """The signed-in user, or null."""

    current_user: AccountResponse | None


class EmptyResponse(ApiModel):
    """An empty object."""


MailToken: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TOKEN)]


class ConfirmRequest(RequestModel):
    """The token from the link of a mail."""

    token: MailToken


class ResetRequest(RequestModel):
    """The e-mail of an account, which need not exist."""

    email: Email


class ResetPasswordRequest(RequestModel):
    """The token from the link of a mail, and the new password. Spaces around a password are part of it."""

    model_config = ConfigDict(str_strip_whitespace=False)

    token: MailToken
    password: NewPassword


class ChangePasswordRequest(RequestModel):
    """The present and the new password. Spaces around a password are part of it."""

    model_config = ConfigDict(str_strip_whitespace=False)

    current_password: GivenPassword
    password: NewPassword


class DeleteAccountRequest(RequestModel):
    """The present password. Spaces around a password are part of it."""

    model_config = ConfigDict(str_strip_whitespace=False)

    password: GivenPassword


class EndSessionRequest(RequestModel):
    """The present password. Spaces around a password are part of it."""

    model_config = ConfigDict(str_strip_whitespace=False)

    password: GivenPassword


class ExportedAccount(AccountResponse):
    """The account's own record."""

    created_at: datetime
    updated_at: datetime
    sessions_ended_at: datetime | None


class ExportedLink(ApiModel):
    """A link that was sent by mail and is still valid; the link itself is not stored."""

    purpose: TokenPurpose
    expires_at: datetime


class ExportedMail(ApiModel):
    """A mail to the person; its text is not stored."""

    kind: MailKind
    requested_at: datetime


class ElsewhereResponse(ApiModel):
    """Data of the person at another service, and the call that returns it."""

    data: str
    call: str


class ExportResponse(ApiModel):
    """Everything that the auth service holds about the caller, without secrets, and where to get the rest."""

    exported_at: datetime
    account: ExportedAccount
    wrong_passwords: list[datetime]
    open_links: list[ExportedLink]
    mails: list[ExportedMail]
    open_sessions: list[ExportedSession]
    elsewhere: list[ElsewhereResponse]

    @classmethod
    def of(cls, export: Export) -> Self:
        """The representation of an export."""
        user = export.user
        return cls(
            exported_at=utc_now(),
            account=ExportedAccount(
                id=user.id,
                email=user.email,
                email_verified=user.email_verified,
                created_at=user.created_at,
                updated_at=user.updated_at,
                sessions_ended_at=user.sessions_revoked_at,
            ),
            wrong_passwords=list(export.wrong_passwords),
            open_links=[ExportedLink.model_validate(token) for token in export.tokens],
            mails=[ExportedMail(kind=kind, requested_at=requested_at) for kind, requested_at in export.mails],
            open_sessions=[ExportedSession.model_validate(session) for session in export.sessions],
            elsewhere=list(ELSEWHERE),
        )


ELSEWHERE: Final = (
    ElsewhereResponse(data="your listings", call="GET /api/tickets/mine"),
    ElsewhereResponse(data="your orders", call="GET /api/orders"),
    ElsewhereResponse(data="the payment of one order", call="GET /api/payments/{id}"),
)
"""The other services know a person by the account's id only."""
