"""The cost of hostile input on every route of this service."""

import time

import pytest

from ticketing_testkit.apps import Identity
from ticketing_testkit.hostile import BUSY_SECONDS, attempts, findings, fingerprint
from ticketing_testkit.hostile_texts import texts

from .conftest import RunAuth, RunningAuth

UNLIMITED = {"rate_limit_signin": "off", "rate_limit_signup": "off", "rate_limit_mails": "off"}


async def test_hostile_input_is_refused_cheaply_and_changes_nothing(run_auth: RunAuth, identity: Identity) -> None:
    async with run_auth(**UNLIMITED) as auth:
        signed_up = await auth.sign_up()
        assert signed_up.status_code == 201
        token = identity.token(signed_up.json()["id"])
        before = await fingerprint(auth.app.state.runtime.database)

        # These have no input, so they succeed whatever their headers and body contain.
        without_input = (
            *("sign_out", "sign_out_everywhere", "request_verification", "export_account", "list_sessions"),
            "show_second_factor",
        )
        found = [finding async for finding in findings(auth.app, token, except_for=without_input)]

        assert found == []
        assert await fingerprint(auth.app.state.runtime.database) == before


async def test_every_route_and_place_of_input_is_tried(auth: RunningAuth, identity: Identity) -> None:
    tried = {(attempt.operation, attempt.place) for attempt in attempts(auth.app, identity.token())}

    sessions = {"sign_up", "sign_in", "issue_token", "sign_out", "sign_out_everywhere", "current_user"}
    accounts = {"change_password", "export_account", "delete_account", "request_verification", "confirm_verification"}
    resets = {"request_password_reset", "confirm_password_reset"}
    listed = {"list_sessions", "end_session"}
    factors = {"show_second_factor", "enrol_second_factor", "confirm_second_factor"}
    factors |= {"replace_recovery_codes", "turn_off_second_factor"}
    assert sessions | accounts | resets | listed | factors == {operation for operation, _ in tried}
    assert {("sign_in", "field email"), ("sign_up", "field password"), ("issue_token", "field username")} <= tried
    assert {("confirm_password_reset", "field token"), ("change_password", "field currentPassword")} <= tried
    assert {("sign_in", "field code"), ("issue_token", "field code"), ("turn_off_second_factor", "field code")} <= tried


@pytest.mark.parametrize("length", [3, 64, 254])
async def test_a_hostile_email_of_a_permitted_length_is_cheap_too(run_auth: RunAuth, length: int) -> None:
    async with run_auth(**UNLIMITED) as auth:
        for name, text in texts(length):
            began = time.thread_time()
            signed_up = await auth.sign_up(email=text)
            signed_in = await auth.sign_in(email=text, password="wrong password")
            token = await auth.token(username=text.replace("\x00", "_"), password="wrong password")
            assert time.thread_time() - began < BUSY_SECONDS, name
            assert signed_up.status_code in {201, 422}, name
            assert signed_in.status_code in {401, 422}, name
            assert token.status_code in {401, 422}, name
