"""Dependencies of routes: the required or the optional user."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.openapi.models import APIKey, APIKeyIn, HTTPBearer
from fastapi.security.base import SecurityBase

from ticketing_common.errors import UnauthenticatedError

from .tokens import User

__all__ = ["CurrentUser", "OptionalUser", "require_user"]


class _Bearer(SecurityBase):
    """The bearer scheme, for the OpenAPI document only."""

    scheme_name = "HTTPBearer"
    model = HTTPBearer(description="Token from POST /api/users/token")

    async def __call__(self) -> None:
        """Does nothing: the middleware has read the header."""


class _OptionalUser(SecurityBase):
    """The signed-in user, or None.

    Cheap, because the middleware has authenticated the request. It is also the security scheme of the OpenAPI document:
    one more dependency would cost as much as a small middleware, at every request (measured).
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
    """The signed-in user; raises `UnauthenticatedError`."""

    async def __call__(self, request: Request, _: Annotated[None, Depends(_Bearer())]) -> User:
        return require_user(request)


def require_user(request: Request) -> User:
    """The signed-in user; raises `UnauthenticatedError`. For dependencies that need only the user."""
    user: User | None = request.state.user
    if user is None:
        error: UnauthenticatedError | None = request.state.authentication_error
        raise error or UnauthenticatedError("Sign in first.")
    return user


OptionalUser = Annotated[User | None, Depends(_OptionalUser())]
CurrentUser = Annotated[User, Depends(_CurrentUser())]
