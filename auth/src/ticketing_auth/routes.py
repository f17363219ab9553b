"""The HTTP door of auth."""

from typing import Annotated

from fastapi import Depends, Form, Request

from ticketing_common.security import OptionalUser
from ticketing_common.web import AddressDep, ServiceRouter

from .dependencies import AuthServiceDep, DeviceCookiesDep, RateLimitsDep, SessionCookieDep, SettingsDep, not_stored
from .schemas import (
    CurrentUserResponse,
    SignInRequest,
    SignOutResponse,
    SignUpRequest,
    TokenForm,
    TokenResponse,
    UserResponse,
)

__all__ = ["router"]

router = ServiceRouter(tags=["users"], dependencies=[Depends(not_stored)])


@router.post("/signup", status_code=201)
async def sign_up(
    body: SignUpRequest,
    request: Request,
    service: AuthServiceDep,
    limits: RateLimitsDep,
    address: AddressDep,
    cookie: SessionCookieDep,
    devices: DeviceCookiesDep,
) -> UserResponse:
    """Make an account and begin a session. 409 when the e-mail has one, 422 for a common password or the e-mail."""
    await limits.check_sign_up(request, address=address)
    user = await service.sign_up(body.email, body.password)
    if cookie.holder is not None:  # one browser has one session: the former ends
        await service.sign_out(cookie.holder)
    cookie.set(service.open_session(user))
    devices.set(service.account_name(user.email), service.device_token(user))
    return UserResponse(id=user.id, email=user.email)


@router.post("/signin")
async def sign_in(
    body: SignInRequest,
    request: Request,
    service: AuthServiceDep,
    limits: RateLimitsDep,
    address: AddressDep,
    cookie: SessionCookieDep,
    devices: DeviceCookiesDep,
) -> UserResponse:
    """Begin a session. 401, in the same words and time, for an unknown e-mail and for a wrong password.

    429 after too many wrong passwords, from wherever they came; a browser that has signed in to the account before
    still may.
    """
    await limits.check_sign_in(request, email=body.email, address=address)
    name = service.account_name(body.email)
    known = devices.get(name)
    user = await service.sign_in(body.email, body.password, device_token=known)
    if cookie.holder is not None:  # one browser has one session: the former ends
        await service.sign_out(cookie.holder)
    cookie.set(service.open_session(user))
    devices.set(name, service.device_token(user, known))
    return UserResponse(id=user.id, email=user.email)


@router.post("/token")
async def issue_token(
    form: Annotated[TokenForm, Form()],
    request: Request,
    service: AuthServiceDep,
    limits: RateLimitsDep,
    address: AddressDep,
    settings: SettingsDep,
) -> TokenResponse:
    """A bearer token for programs: no cookie comes with it, and it is not renewed."""
    await limits.check_sign_in(request, email=form.username, address=address)
    user = await service.sign_in(form.username, form.password)
    return TokenResponse(access_token=service.issue_token(user), expires_in=settings.session_minutes * 60)


@router.post("/signout")
async def sign_out(caller: OptionalUser, service: AuthServiceDep, cookie: SessionCookieDep) -> SignOutResponse:
    """End the session; again is the same. Copies of its token are not renewed, and run out by themselves."""
    if caller is not None:
        await service.sign_out(caller)
    if caller is None or cookie.brought:  # a bearer's sign-out is not about the cookie beside it
        cookie.delete()
    return SignOutResponse()


@router.get("/currentuser")
async def current_user(caller: OptionalUser, service: AuthServiceDep, cookie: SessionCookieDep) -> CurrentUserResponse:
    """Who is signed in, or null. Renews the session of a browser."""
    if caller is None or await service.is_signed_out(caller):
        if cookie.brought:
            cookie.delete()
        return CurrentUserResponse(current_user=None)
    if cookie.brought and (token := service.renew_session(caller)):
        cookie.set(token)
    return CurrentUserResponse(current_user=UserResponse(id=caller.id, email=caller.email))
