"""The HTTP routes of the second factor."""

import asyncio

from fastapi import Depends

from ticketing_common.web import ServiceRouter

from .dependencies import (
    AccountDep,
    BrowserSessionDep,
    PasswordPromptDep,
    SecondFactorDep,
    not_stored,
)
from .enrolment import qr_code
from .schemas import (
    ConfirmSecondFactorRequest,
    EnrolmentResponse,
    PasswordRequest,
    RecoveryCodesResponse,
    SecondFactorRequest,
    SecondFactorResponse,
)

router = ServiceRouter(tags=["users"], dependencies=[Depends(not_stored)])


@router.get("/second-factor")
async def show_second_factor(user: AccountDep) -> SecondFactorResponse:
    """Whether a sign-in asks for a code, and how many recovery codes are left."""
    return SecondFactorResponse.of(user.second_factor)


@router.post("/second-factor")
async def enrol_second_factor(
    body: PasswordRequest, prompt: PasswordPromptDep, factors: SecondFactorDep
) -> EnrolmentResponse:
    """Get a new secret for an authenticator app (RFC 6238), valid for ten minutes until it is confirmed with a code.

    403: the password is wrong, which counts like a wrong sign-in. 409: the second factor is on.
    """
    await prompt.check(body.password)
    enrolment = await factors.begin(prompt.user)
    return EnrolmentResponse(
        secret=enrolment.secret,
        uri=enrolment.uri,
        qr_code=await asyncio.to_thread(qr_code, enrolment.uri),
        expires_at=enrolment.expires_at,
    )


@router.post("/second-factor/confirm")
async def confirm_second_factor(
    body: ConfirmSecondFactorRequest, prompt: PasswordPromptDep, factors: SecondFactorDep, session: BrowserSessionDep
) -> RecoveryCodesResponse:
    """Turn the second factor on with a code of its secret. All other sessions and API tokens end; a browser gets a new
    cookie.

    The recovery codes are in this response only. 403: the code is wrong, which is counted. 409: no secret waits for a
    code, or the second factor is on.
    """
    await prompt.count_try()
    changed, codes = await factors.confirm(prompt.user, body.code, device_token=prompt.device_token)
    await session.reopen(changed)
    return RecoveryCodesResponse(recovery_codes=codes)


@router.post("/second-factor/recovery-codes")
async def replace_recovery_codes(
    body: SecondFactorRequest, prompt: PasswordPromptDep, factors: SecondFactorDep, session: BrowserSessionDep
) -> RecoveryCodesResponse:
    """Get ten new recovery codes; the former ones are void. All other sessions and API tokens end.

    403: the password or the code is wrong, which is counted. 409: the second factor is off.
    """
    await prompt.check(body.password)
    changed, codes = await factors.replace_recovery_codes(prompt.user, body.code, device_token=prompt.device_token)
    await session.reopen(changed)
    return RecoveryCodesResponse(recovery_codes=codes)


@router.delete("/second-factor", status_code=204)
async def turn_off_second_factor(
    body: SecondFactorRequest, prompt: PasswordPromptDep, factors: SecondFactorDep, session: BrowserSessionDep
) -> None:
    """Turn the second factor off. All other sessions and API tokens end; a browser gets a new cookie.

    403: the password or the code is wrong, which is counted. 409: the second factor is off.
    """
    await prompt.check(body.password)
    changed = await factors.turn_off(prompt.user, body.code, device_token=prompt.device_token)
    await session.reopen(changed)
