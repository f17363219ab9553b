"""JSON of accounts, sessions and the second factor. Requests contain passwords, responses never do.

The secret and the recovery codes of a second factor are in one response each, and never again.
"""

from datetime import datetime
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict

from ticketing_common.entity import utc_now
from ticketing_common.web import ApiModel, RequestModel

from .credentials import EMAIL_LENGTH, Email, GivenCode, GivenPassword, MailToken, NewEmail, NewPassword, email_or_other
from .domain import TokenPurpose
from .mail import MailKind
from .open_sessions import OpenSession
from .second_factor import SecondFactor
from .service import Export


class _SecretRequest(RequestModel):
    """Spaces around a password are part of it."""

    model_config = ConfigDict(str_strip_whitespace=False)


class SignUpRequest(_SecretRequest):
    """A new account. Spaces around a password are part of it."""

    email: NewEmail
    password: NewPassword


class SignInRequest(_SecretRequest):
    """The credentials of an account. `code` is needed only if the account has a second factor."""

    email: Email
    password: GivenPassword
    code: GivenCode | None = None


class TokenForm(BaseModel):
    """The resource owner password credentials of OAuth 2.0 (RFC 6749 §4.3.2); `username` is the e-mail.

    `code` is ours, for an account with a second factor. Unknown parameters are ignored, as §3.2 requires.
    """

    grant_type: Literal["password"] = "password"
    username: Annotated[str, EMAIL_LENGTH, AfterValidator(email_or_other)]
    password: GivenPassword
    code: GivenCode | None = None


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


class ConfirmRequest(RequestModel):
    """The token from the link of a mail."""

    token: MailToken


class ResetRequest(RequestModel):
    """The e-mail of an account, which need not exist."""

    email: Email


class ResetPasswordRequest(_SecretRequest):
    """The token from the link of a mail, and the new password. Spaces around a password are part of it."""

    token: MailToken
    password: NewPassword


class ChangePasswordRequest(_SecretRequest):
    """The present and the new password. Spaces around a password are part of it."""

    current_password: GivenPassword
    password: NewPassword


class PasswordRequest(_SecretRequest):
    """The present password. Spaces around a password are part of it."""

    password: GivenPassword


class SecondFactorRequest(PasswordRequest):
    """The present password, and a code of the second factor or a recovery code."""

    code: GivenCode


class ConfirmSecondFactorRequest(RequestModel):
    """A code that the authenticator app shows for the new secret."""

    code: GivenCode


class EnrolmentResponse(ApiModel):
    """A new secret, in base32, as the address that authenticator apps read, and as a QR code of it (a `data:` URI)."""

    secret: str
    uri: str
    qr_code: str
    expires_at: datetime


class RecoveryCodesResponse(ApiModel):
    """Recovery codes, each for one use. No other response shows them."""

    recovery_codes: list[str]


class SecondFactorResponse(ApiModel):
    """Whether a sign-in asks for a code, since when, and how many recovery codes are left."""

    state: Literal["on", "off"]
    enabled_at: datetime | None
    recovery_codes_left: int

    @classmethod
    def of(cls, factor: SecondFactor | None) -> Self:
        if factor is None:
            return cls(state="off", enabled_at=None, recovery_codes_left=0)
        return cls(state="on", enabled_at=factor.enabled_at, recovery_codes_left=len(factor.recovery_hashes))


class ExportedSession(ApiModel):
    """An open session in a browser."""

    device: str | None
    created_at: datetime
    renewed_at: datetime
    expires_at: datetime


class SessionResponse(ExportedSession):
    """An open session in a browser; `current` for the one that asks. `device` is null if its browser is not known.

    `renewed_at` is the time of the last renewal, which an active browser does every ten minutes.
    """

    id: str
    current: bool

    @classmethod
    def of(cls, session: OpenSession, *, is_current: bool) -> Self:
        return cls(**vars(session), current=is_current)


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
    second_factor: SecondFactorResponse
    wrong_passwords: list[datetime]
    wrong_codes: list[datetime]
    open_links: list[ExportedLink]
    mails: list[ExportedMail]
    open_sessions: list[ExportedSession]
    elsewhere: list[ElsewhereResponse]

    @classmethod
    def of(cls, export: Export) -> Self:
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
            second_factor=SecondFactorResponse.of(user.second_factor),
            wrong_passwords=list(export.wrong_passwords),
            wrong_codes=list(export.wrong_codes),
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
