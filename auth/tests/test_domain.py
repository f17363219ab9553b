from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketing_auth.domain import SessionRules, User, normalized_email

pytestmark = pytest.mark.unit

RULES = SessionRules(lifetime=timedelta(minutes=30), renewable=timedelta(days=7))
SIGNED_IN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("  Ann@Example.COM\n", "ann@example.com"),
        ("ann+tickets@example.com", "ann+tickets@example.com"),
        ("rene\u0301@example.com", "ren\u00e9@example.com"),
        ("ann@xn--n-wga6c.de", "ann@ôną.de"),
        ("test@test.test", "test@test.test"),
    ],
)
def test_an_email_has_one_normal_form(written: str, kept: str) -> None:
    assert normalized_email(written) == kept
    assert normalized_email(kept) == kept


@pytest.mark.parametrize(
    "wrong",
    [
        *("", "ann", "ann@", "@example.com", "ann@example", "ann@localhost", "a..b@example.com", "a b@example.com"),
        *("Ann <ann@example.com>", "ann@[127.0.0.1]", "ann@example.com\0", "a" * 243 + "@example.com"),
    ],
)
def test_text_that_is_not_an_email_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError):
        normalized_email(wrong)


def test_the_hash_of_a_password_is_in_no_repr() -> None:
    assert "$argon2" not in repr(User(email="ann@example.com", password_hash="$argon2id$"))


@pytest.mark.parametrize(
    ("age_minutes", "due"), [(0, False), (9, False), (10, False), (11, True), (29, True), (30, True)]
)
def test_a_token_is_renewed_after_a_third_of_its_lifetime(age_minutes: int, due: bool) -> None:
    now = SIGNED_IN + timedelta(minutes=age_minutes)
    assert RULES.renewal_due(signed_in_at=SIGNED_IN, expires_at=SIGNED_IN + RULES.lifetime, now=now) is due


@given(
    issued_after=st.timedeltas(timedelta(0), timedelta(days=20)),
    seen_after=st.timedeltas(timedelta(0), timedelta(minutes=30)),
)
def test_no_session_is_renewed_seven_days_after_its_password_was_given(
    issued_after: timedelta, seen_after: timedelta
) -> None:
    issued = SIGNED_IN + issued_after
    now = issued + seen_after
    due = RULES.renewal_due(signed_in_at=SIGNED_IN, expires_at=issued + RULES.lifetime, now=now)
    assert not (due and now - SIGNED_IN >= timedelta(days=7))


@given(gaps=st.lists(st.timedeltas(timedelta(minutes=10, seconds=1), timedelta(minutes=30)), max_size=1_100))
def test_a_sign_out_is_remembered_for_longer_than_any_token_of_its_session_lives(gaps: list[timedelta]) -> None:
    issued = SIGNED_IN
    for gap in gaps:
        now = issued + gap
        if RULES.renewal_due(signed_in_at=SIGNED_IN, expires_at=issued + RULES.lifetime, now=now):
            issued = now
    assert issued + RULES.lifetime < RULES.forgotten_at(signed_in_at=SIGNED_IN)
