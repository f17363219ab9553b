"""What routes ask: somebody, or perhaps somebody."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPBearer

from ticketing_common.errors import UnauthenticatedError

from .tokens import User

__all__ = ["CurrentUser", "OptionalUser"]

# Declared for the OpenAPI document only; the middleware has done the reading.
_cookie = APIKeyCookie(name="session", auto_error=False, description="Session cookie set by sign-in")
_bearer = HTTPBearer(auto_error=False, description="Token from POST /api/users/token")


async def optional_user(
    request: Request,
    _session: Annotated[str | None, Depends(_cookie)],
    _token: Annotated[object, Depends(_bearer)],
) -> User | None:
    """Whoever is signed in, or None."""
    user: User | None = request.state.user
    return user


async def current_user(request: Request, user: Annotated[User | None, Depends(optional_user)]) -> User:
    """Whoever is signed in; raises `UnauthenticatedError`."""
    if user is None:
        error: UnauthenticatedError | None = request.state.authentication_error
        raise error or UnauthenticatedError("Sign in first.")
    return user


OptionalUser = Annotated[User | None, Depends(optional_user)]
CurrentUser = Annotated[User, Depends(current_user)]
