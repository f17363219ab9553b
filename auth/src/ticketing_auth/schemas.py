"""JSON of accounts and sessions. Requests contain passwords, responses never do."""

from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Final, Literal, TypeAlias

from email_validator import EmailNotValidError
from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from ticketing_common.web import ApiModel, RequestModel

from .domain import normalized_email

__all__ = [
    "CurrentUserResponse",
    "SignInRequest",
    "SignOutResponse",
    "SignUpRequest",
    "TokenForm",
    "TokenResponse",
    "UserResponse",
]

MIN_PASSWORD: Final = 8
MAX_PASSWORD: Final = 128
MAX_EMAIL: Final = 254
"""RFC 5321 §4.5.3.1.3: a path has 256 octets, two of them its angle brackets."""


def _email(value: str) -> str:
    try:
        return normalized_email(value)
    except EmailNotValidError as error:
        raise PydanticCustomError("email", "{reason}", {"reason": str(error)}) from None


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
NewPassword: TypeAlias = Annotated[SecretStr, AfterValidator(_password(MIN_PASSWORD)), _password_schema(MIN_PASSWORD)]
GivenPassword: TypeAlias = Annotated[SecretStr, AfterValidator(_password(1)), _password_schema(1)]
"""An existing password. The rules for new passwords do not apply, so that they lock out no account."""


class SignUpRequest(RequestModel):
    """A new account. Spaces around a password are part of it."""

    model_config = ConfigDict(str_strip_whitespace=False)

    email: Email
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


class CurrentUserResponse(ApiModel):
    """The signed-in user, or null."""

    current_user: UserResponse | None


class SignOutResponse(ApiModel):
    """An empty object."""
