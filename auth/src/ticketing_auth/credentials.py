"""The types of credentials in requests. Lengths are checked before costly work."""

from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Final, TypeAlias

from email_validator import EmailNotValidError
from pydantic import AfterValidator, SecretStr, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from .domain import normalized_email
from .second_factor import plain_code

MIN_PASSWORD: Final = 8
MAX_PASSWORD: Final = 128
MAX_CODE: Final = 64
"""Characters; a recovery code has 24, and hyphens between its groups."""
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


def email_or_other(value: str) -> str:
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


EMAIL_LENGTH: Final = StringConstraints(strip_whitespace=True, max_length=MAX_EMAIL)
"""Checked before normalisation, whose time grows with the square of the length: 64 KB of marks take seconds."""

_EMAIL_SCHEMA: Final = WithJsonSchema({"type": "string", "format": "email", "maxLength": MAX_EMAIL})
Email: TypeAlias = Annotated[str, EMAIL_LENGTH, AfterValidator(_email), _EMAIL_SCHEMA]
NewEmail: TypeAlias = Annotated[str, EMAIL_LENGTH, AfterValidator(_new_email), _EMAIL_SCHEMA]
NewPassword: TypeAlias = Annotated[SecretStr, AfterValidator(_password(MIN_PASSWORD)), _password_schema(MIN_PASSWORD)]
GivenPassword: TypeAlias = Annotated[SecretStr, AfterValidator(_password(1)), _password_schema(1)]
"""An existing password. The rules for new passwords do not apply, so that they lock out no account."""

MailToken: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TOKEN)]
"""The token from the link of a mail."""


def _code(value: str) -> str:
    plain = plain_code(value)
    if plain is None:
        raise PydanticCustomError("code", "Code should have 6 digits, or be a recovery code of 24 letters and digits")
    return plain


GivenCode: TypeAlias = Annotated[
    str,
    StringConstraints(max_length=MAX_CODE),
    AfterValidator(_code),
    WithJsonSchema({"type": "string", "maxLength": MAX_CODE, "writeOnly": True}),
]
"""A code of the second factor, or a recovery code; spaces and hyphens are removed. Other text is refused before any
work, and whether or not the account has a second factor."""
