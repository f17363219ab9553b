"""Authentication: tokens, the middleware that reads them, and the dependencies of routes. The codes of passes."""

from .cookies import first_cookie
from .csrf import OriginCheck, OriginCheckMiddleware
from .dependencies import CurrentUser, OptionalUser, require_user
from .middleware import AuthenticationMiddleware, SessionReader
from .pass_codes import MAX_PASS_CODE, PassClaims, PassCodeError, PassKeys, PassSigner, PublicKey
from .revocations import SessionRevocations
from .tokens import AUDIENCE, TokenSigner, TokenVerifier, User

__all__ = [
    "AUDIENCE",
    "MAX_PASS_CODE",
    "AuthenticationMiddleware",
    "CurrentUser",
    "OptionalUser",
    "OriginCheck",
    "OriginCheckMiddleware",
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
