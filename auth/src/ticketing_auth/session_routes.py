"""The HTTP routes of the list of open sessions."""

from fastapi import Depends

from ticketing_common.security import CurrentUser
from ticketing_common.web import Id, ServiceRouter

from .dependencies import AccountDep, AccountServiceDep, PasswordPromptDep, SessionCookieDep, not_stored
from .schemas import PasswordRequest, SessionResponse

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
    body: PasswordRequest,
    caller: CurrentUser,
    prompt: PasswordPromptDep,
    accounts: AccountServiceDep,
    cookie: SessionCookieDep,
) -> None:
    """End one of the caller's sessions, at every service, after the password (OWASP ASVS 5.0, 7.5.2).

    403: the password is wrong, which counts like a wrong sign-in. 404: the caller has no such open session.
    """
    known = await prompt.count_try()
    await accounts.end_session(prompt.user, session_id, body.password, device_token=known)
    if cookie.brought and session_id == caller.session_id:
        cookie.sign_out()
