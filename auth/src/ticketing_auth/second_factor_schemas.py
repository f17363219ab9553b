"""JSON of the second factor. The secret and the recovery codes are in one response each, and never again."""

from datetime import datetime
from typing import Literal, Self

from pydantic import ConfigDict

from ticketing_common.web import ApiModel, RequestModel

from .credentials import GivenCode, GivenPassword
from .second_factor import SecondFactor


class EnrolSecondFactorRequest(RequestModel):
    """The present password. Spaces around a password are part of it."""

    model_config = ConfigDict(str_strip_whitespace=False)

    password: GivenPassword


class ConfirmSecondFactorRequest(RequestModel):
    """A code that the authenticator app shows for the new secret."""

    code: GivenCode


class SecondFactorRequest(RequestModel):
    """The present password, and a code of the second factor or a recovery code."""

    model_config = ConfigDict(str_strip_whitespace=False)

    password: GivenPassword
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
        """The representation of an account's second factor."""
        if factor is None:
            return cls(state="off", enabled_at=None, recovery_codes_left=0)
        return cls(state="on", enabled_at=factor.enabled_at, recovery_codes_left=len(factor.recovery_hashes))
