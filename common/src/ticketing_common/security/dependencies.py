"""What routes ask: somebody, or perhaps somebody."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.openapi.models import APIKey, APIKeyIn, HTTPBearer
from fastapi.security.base import SecurityBase

from ticketing_common.errors import UnauthenticatedError

from .tokens import User

__all__ = ["CurrentUser", "OptionalUser", "require_user"]


class _Bearer(SecurityBase):
    """The other way to sign a request, for the OpenAPI document only."""

    scheme_name = "HTTPBearer"
    model = HTTPBearer(description="Token from POST /api/users/token")

    async def __call__(self) -> None:
        """Nothing: the middleware has read it."""


class _OptionalUser(SecurityBase):
    """Whoever is signed in, or None.

    The middleware has found that out, so this is cheap; and it is itself what the OpenAPI document tells of, since each
    dependency costs as much as a small middleware, at every request and wherever it is asked for (measured).
    """

    scheme_name = "APIKeyCookie"
    model = APIKey(
        **{"in": APIKeyIn.cookie},
        name="session",
        description="Session cookie set by sign-in; over HTTPS `__Host-session`",
    )

    async def __call__(self, request: Request, _: Annotated[None, Depends(_Bearer())]) -> User | None:
        user: User | None = request.state.user
        return user


class _CurrentUser(_OptionalUser):
    """Whoever is signed in; raises `UnauthenticatedError`."""

    async def __call__(self, request: Request, _: Annotated[None, Depends(_Bearer())]) -> User:
        return require_user(request)


def require_user(request: Request) -> User:
    """Whoever is signed in; raises `UnauthenticatedError`. For dependencies that need no second look at who it is."""
    user: User | None = request.state.user
    if user is None:
        error: UnauthenticatedError | None = request.state.authentication_error
        raise error or UnauthenticatedError("Sign in first.")
    return user


OptionalUser = Annotated[User | None, Depends(_OptionalUser())]
CurrentUser = Annotated[User, Depends(_CurrentUser())]
