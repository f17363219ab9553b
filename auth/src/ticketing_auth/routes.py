"""The HTTP routes of accounts and sessions."""

from typing import Annotated

from fastapi import Depends, Form, Request

from ticketing_common.security import CurrentUser, OptionalUser
from ticketing_common.web import Id, ServiceRouter

from .dependencies import (
    AccountDep,
    AccountServiceDep,
    AuthServiceDep,
    BrowserSessionDep,
    DeviceCookiesDep,
    DeviceLabelDep,
    PasswordPromptDep,
    RateLimitsDep,
    SessionCookieDep,
    SettingsDep,
    not_stored,
)
from .domain import TokenPurpose
from .schemas import (
    AccountResponse,
    ChangePasswordRequest,
    ConfirmRequest,
    CurrentUserResponse,
    EmptyResponse,
    ExportResponse,
    PasswordRequest,
    ResetPasswordRequest,
    ResetRequest,
    SessionResponse,
    SignInRequest,
    SignUpRequest,
    TokenForm,
    TokenResponse,
    UserResponse,
)

router = ServiceRouter(tags=["users"], dependencies=[Depends(not_stored)])


@router.post("/signup", status_code=201)
async def sign_up(
    body: SignUpRequest,
    request: Request,
    service: AuthServiceDep,
    accounts: AccountServiceDep,
    limits: RateLimitsDep,
    session: BrowserSessionDep,
    devices: DeviceCookiesDep,
) -> UserResponse:
    """Create an account and start a session. A mail asks to confirm the e-mail.

    409: the e-mail has an account. 422: the password is common, or is the e-mail.
    """
    await limits.check_sign_up(request)
    user = await service.sign_up(body.email, body.password)
    await accounts.request_verification(user)
    await session.begin(user)
    devices.set(service.account_name(user.email), service.device_token(user))
    return UserResponse(id=user.id, email=user.email)


@router.post("/signin")
async def sign_in(
    body: SignInRequest,
    request: Request,
    service: AuthServiceDep,
    limits: RateLimitsDep,
    session: BrowserSessionDep,
    devices: DeviceCookiesDep,
) -> UserResponse:
    """Start a session.

    401: unknown e-mail or wrong password, with the same text and in the same time. 401 with the problem type
    `tag:ticketing.dev,2026:second-factor-required`: the account also asks for a code, or the code is wrong. 429: too
    many wrong passwords or codes from any addresses; a browser that has signed in to the account before may still sign
    in.
    """
    await limits.check_sign_in(request, email=body.email)
    name = service.account_name(body.email)
    known = devices.get(name)
    user = await service.sign_in(body.email, body.password, code=body.code, device_token=known)
    await session.begin(user)
    devices.set(name, service.device_token(user, known))
    return UserResponse(id=user.id, email=user.email)


@router.post("/token")
async def issue_token(
    form: Annotated[TokenForm, Form()],
    request: Request,
    service: AuthServiceDep,
    limits: RateLimitsDep,
    settings: SettingsDep,
) -> TokenResponse:
    """Issue a bearer token for programs. It sets no cookie and is not renewed. 401: as for a sign-in."""
    await limits.check_sign_in(request, email=form.username)
    user = await service.sign_in(form.username, form.password, code=form.code)
    return TokenResponse(access_token=service.issue_token(user), expires_in=settings.session_minutes * 60)


@router.post("/signout")
async def sign_out(caller: OptionalUser, service: AuthServiceDep, cookie: SessionCookieDep) -> EmptyResponse:
    """End the session, or the API token, at every service; idempotent."""
    if caller is not None:
        await service.sign_out(caller)
    if caller is None or cookie.brought:  # a sign-out by bearer token does not affect the cookie
        cookie.sign_out()
    return EmptyResponse()


@router.get("/currentuser")
async def current_user(
    caller: OptionalUser, service: AuthServiceDep, cookie: SessionCookieDep, device: DeviceLabelDep
) -> CurrentUserResponse:
    """The signed-in user, or null. Renews the session of a browser, at once if `emailVerified` has changed."""
    user = await service.find_account(caller) if caller is not None else None
    if caller is None or user is None:
        if cookie.brought:
            cookie.delete()
        return CurrentUserResponse(current_user=None)
    if cookie.brought and (token := await service.renew_session(caller, user, device=device)):
        cookie.set(token)
    return CurrentUserResponse(current_user=AccountResponse.model_validate(user))


@router.post("/verification", status_code=202)
async def request_verification(
    user: AccountDep, request: Request, accounts: AccountServiceDep, limits: RateLimitsDep
) -> EmptyResponse:
    """Send a link that confirms the caller's e-mail, valid for 30 minutes. Without effect if it is confirmed."""
    await limits.check_mail(request, TokenPurpose.VERIFY_EMAIL, email=user.email)
    await accounts.request_verification(user)
    return EmptyResponse()


@router.post("/verification/confirm")
async def confirm_verification(
    body: ConfirmRequest, request: Request, accounts: AccountServiceDep, limits: RateLimitsDep
) -> EmptyResponse:
    """Confirm an e-mail with the token of the link. The next `currentuser` renews the cookie with the new state.

    A further use of a valid token has the same answer. 422: the token is older than 30 minutes, or the password was
    changed since.
    """
    await limits.check_token(request)
    await accounts.confirm_verification(body.token)
    return EmptyResponse()


@router.post("/password-reset", status_code=202)
async def request_password_reset(
    body: ResetRequest, request: Request, accounts: AccountServiceDep, limits: RateLimitsDep
) -> EmptyResponse:
    """Send a link to set a new password, valid for 30 minutes. The response is the same without an account."""
    await limits.check_mail(request, TokenPurpose.RESET_PASSWORD, email=body.email)
    await accounts.request_reset(body.email)
    return EmptyResponse()


@router.post("/password-reset/confirm")
async def confirm_password_reset(
    body: ResetPasswordRequest,
    request: Request,
    accounts: AccountServiceDep,
    limits: RateLimitsDep,
) -> EmptyResponse:
    """Set a new password with the token of the link. All sessions of the account end.

    422: the token was used, is older than 30 minutes, or the password was changed since; or the new password is common.
    """
    await limits.check_token(request)
    await accounts.confirm_reset(body.token, body.password)
    return EmptyResponse()


@router.put("/password")
async def change_password(
    body: ChangePasswordRequest, prompt: PasswordPromptDep, accounts: AccountServiceDep, session: BrowserSessionDep
) -> AccountResponse:
    """Change the password. All other sessions and API tokens end; a browser gets a new cookie.

    403: the present password is wrong, which counts like a wrong sign-in.
    """
    checked = await prompt.check(body.current_password, field="currentPassword")
    changed = await accounts.change_password(checked, body.password)
    await session.reopen(changed)
    return AccountResponse.model_validate(changed)


@router.post("/signout-everywhere")
async def sign_out_everywhere(user: AccountDep, accounts: AccountServiceDep, cookie: SessionCookieDep) -> EmptyResponse:
    """End every session and every API token of the caller, this one included, at all services."""
    await accounts.sign_out_everywhere(user)
    cookie.sign_out()
    return EmptyResponse()


@router.get("/me/export")
async def export_account(user: AccountDep, accounts: AccountServiceDep) -> ExportResponse:
    """Everything that the auth service holds about the caller, and the calls that return the rest."""
    return ExportResponse.of(await accounts.export(user))


@router.delete("/me", status_code=204)
async def delete_account(
    body: PasswordRequest,
    prompt: PasswordPromptDep,
    accounts: AccountServiceDep,
    cookie: SessionCookieDep,
    devices: DeviceCookiesDep,
) -> None:
    """Delete the caller's account for good. Unsold listings are withdrawn.

    403: the password is wrong. 409: the caller holds seats, or has sold seats of an event to come.
    """
    await prompt.check(body.password)
    await accounts.delete(prompt.user)
    cookie.sign_out()
    devices.delete(prompt.account_name)


@router.get("/sessions")
async def list_sessions(caller: CurrentUser, user: AccountDep, accounts: AccountServiceDep) -> list[SessionResponse]:
    """The caller's open sessions in browsers, the last used first, at most 100. API tokens are not sessions."""
    return [
        SessionResponse.of(session, is_current=session.id == caller.session_id)
        for session in await accounts.list_sessions(user)
    ]


@router.delete("/sessions/{id}", status_code=204)
async def end_session(
    session_id: Id,
    body: PasswordRequest,
    caller: CurrentUser,
    prompt: PasswordPromptDep,
    accounts: AccountServiceDep,
    cookie: SessionCookieDep,
) -> None:
    """End one of the caller's sessions, at every service, after the password (OWASP ASVS 5.0, 7.5.2).

    403: the password is wrong, which counts like a wrong sign-in. 404: the caller has no such open session.
    """
    await prompt.check(body.password)
    await accounts.end_session(prompt.user, session_id)
    if cookie.brought and session_id == caller.session_id:
        cookie.sign_out()
