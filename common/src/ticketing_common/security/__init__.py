"""Authentication: tokens, and the sessions that they make. The codes of passes."""

from .pass_codes import MAX_PASS_CODE, PassClaims, PassCodeError, PassKeys, PassSigner, PublicKey
from .sessions import (
    AuthenticationMiddleware,
    CurrentUser,
    OptionalUser,
    OriginCheck,
    SessionReader,
    SessionRevocations,
    first_cookie,
    require_user,
)
from .tokens import AUDIENCE, TokenSigner, TokenVerifier, User

__all__ = [
    "AUDIENCE",
    "MAX_PASS_CODE",
    "AuthenticationMiddleware",
    "CurrentUser",
    "OptionalUser",
    "OriginCheck",
    "PassClaims",
    "PassCodeError",
    "PassKeys",
    "PassSigner",
    "PublicKey",
    "SessionReader",
    "SessionRevocations",
    "TokenSigner",
    "TokenVerifier",
    "User",
    "first_cookie",
    "require_user",
]
