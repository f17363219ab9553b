"""The HTTP routes of auth."""

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
    """Create an account and start a session.

    409: the e-mail has an account. 422: the password is common, or is the e-mail.
    """
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
    """Start a session.

    401: unknown e-mail or wrong password, with the same text and in the same time. 429: too many wrong passwords from
    any addresses; a browser that has signed in to the account before may still sign in.
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
    """Issue a bearer token for programs. It sets no cookie and is not renewed."""
    await limits.check_sign_in(request, email=form.username, address=address)
    user = await service.sign_in(form.username, form.password)
    return TokenResponse(access_token=service.issue_token(user), expires_in=settings.session_minutes * 60)


@router.post("/signout")
async def sign_out(caller: OptionalUser, service: AuthServiceDep, cookie: SessionCookieDep) -> SignOutResponse:
    """End the session; idempotent. Copies of its token are not renewed, and expire."""
    if caller is not None:
        await service.sign_out(caller)
    if caller is None or cookie.brought:  # a sign-out by bearer token does not affect the cookie
        cookie.delete()
    return SignOutResponse()


@router.get("/currentuser")
async def current_user(caller: OptionalUser, service: AuthServiceDep, cookie: SessionCookieDep) -> CurrentUserResponse:
    """The signed-in user, or null. Renews the session of a browser."""
    if caller is None or await service.is_signed_out(caller):
        if cookie.brought:
            cookie.delete()
        return CurrentUserResponse(current_user=None)
    if cookie.brought and (token := service.renew_session(caller)):
        cookie.set(token)
    return CurrentUserResponse(current_user=UserResponse(id=caller.id, email=caller.email))
