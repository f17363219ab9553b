"""Authentication: tokens, the middleware that reads them, and the dependencies of routes."""

from .cookies import first_cookie
from .csrf import OriginCheckMiddleware
from .dependencies import CurrentUser, OptionalUser, require_user
from .middleware import AuthenticationMiddleware
from .revocations import SessionRevocations
from .tokens import AUDIENCE, TokenSigner, TokenVerifier, User

__all__ = [
    "AUDIENCE",
    "AuthenticationMiddleware",
    "CurrentUser",
    "OptionalUser",
    "OriginCheckMiddleware",
    "SessionRevocations",
    "TokenSigner",
    "TokenVerifier",
    "User",
    "first_cookie",
    "require_user",
]
