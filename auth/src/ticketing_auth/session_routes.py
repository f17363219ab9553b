"""The HTTP routes of the list of open sessions."""

from fastapi import Depends, Request

from ticketing_common.security import CurrentUser
from ticketing_common.web import AddressDep, Id, ServiceRouter

from .dependencies import (
    AccountDep,
    AccountServiceDep,
    AuthServiceDep,
    DeviceCookiesDep,
    RateLimitsDep,
    SessionCookieDep,
    not_stored,
)
from .schemas import EndSessionRequest
from .session_schemas import SessionResponse

__all__ = ["router"]

router = ServiceRouter(tags=["users"], dependencies=[Depends(not_stored)])


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
    body: EndSessionRequest,
    caller: CurrentUser,
    user: AccountDep,
    request: Request,
    service: AuthServiceDep,
    accounts: AccountServiceDep,
    limits: RateLimitsDep,
    address: AddressDep,
    cookie: SessionCookieDep,
    devices: DeviceCookiesDep,
) -> None:
    """End one of the caller's sessions, at every service, after the password (OWASP ASVS 5.0, 7.5.2).

    403: the password is wrong, which counts like a wrong sign-in. 404: the caller has no such open session.
    """
    await limits.check_sign_in(request, email=user.email, address=address)
    known = devices.get(service.account_name(user.email))
    await accounts.end_session(user, session_id, body.password, device_token=known)
    if cookie.brought and session_id == caller.session_id:
        cookie.delete()
