"""The rules of codes and recovery codes, and the encryption of secrets."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from pyotp import TOTP

from ticketing_auth.enrolment import SecretVault, new_secret, otpauth_uri, qr_code
from ticketing_auth.second_factor import (
    RECOVERY_CODES,
    SecondFactor,
    is_recovery_code,
    matching_step,
    new_recovery_codes,
    plain_code,
)

pytestmark = pytest.mark.unit

RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()
NOW = datetime(2026, 11, 29, 22, 30, 10, tzinfo=UTC)
ONE, OTHER = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))


@pytest.mark.parametrize(
    ("seconds", "code"),
    # RFC 6238, appendix B, SHA-1: the last six of its eight digits.
    [
        *((59, "287082"), (1_111_111_109, "081804"), (1_111_111_111, "050471"), (1_234_567_890, "005924")),
        *((2_000_000_000, "279037"), (20_000_000_000, "353130")),
    ],
)
def test_codes_are_those_of_rfc_6238(seconds: int, code: str) -> None:
    assert matching_step(RFC_SECRET, code, now=datetime.fromtimestamp(seconds, UTC)) == seconds // 30


@pytest.mark.parametrize(("steps", "accepted"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_differ_by_one_step_and_not_by_two(steps: int, accepted: bool) -> None:
    secret = new_secret()
    code = TOTP(secret).at(NOW + steps * timedelta(seconds=30))
    assert (matching_step(secret, code, now=NOW) is not None) is accepted


def test_no_step_is_accepted_twice_and_none_before_it() -> None:
    secret = new_secret()
    present = int(NOW.timestamp()) // 30
    codes = [TOTP(secret).generate_otp(present + offset) for offset in (-1, 0, 1)]
    assert [matching_step(secret, code, now=NOW, after=present) for code in codes] == [None, None, present + 1]


@pytest.mark.parametrize("text", ["123456", " 123 456 ", "123-456"])
def test_a_code_may_be_grouped(text: str) -> None:
    assert plain_code(text) == "123456"


@pytest.mark.parametrize(
    "text",
    [
        *("", "12345", "1234567", "12345a", "+12345", "-12345", "1e5000", "\u0661\u0662\u0663\u0664\u0665\u0666"),
        *(
            "\uff11\uff12\uff13\uff14\uff15\uff16",
            "12345\u00b2",
            "123456\n",
            "a" * 23,
            "a" * 25,
            "1" * 24,
            "\u0131" * 24,
        ),
    ],
)
def test_text_of_another_form_is_no_code(text: str) -> None:
    assert plain_code(text) is None


def test_a_recovery_code_is_used_once_however_it_is_written() -> None:
    codes = new_recovery_codes()
    assert len(set(codes)) == RECOVERY_CODES
    empty = SecondFactor(sealed_secret="", enabled_at=NOW, last_step=0, recovery_hashes=())
    factor = empty.with_recovery_codes(codes)
    assert not any(code.replace("-", "") in str(factor.recovery_hashes) for code in codes)
    for number, code in enumerate(codes, start=1):
        typed = plain_code(code.lower().replace("-", " "))
        assert typed is not None
        assert is_recovery_code(typed)
        used = factor.without_recovery_code(typed)
        assert used is not None
        assert len(used.recovery_hashes) == RECOVERY_CODES - number
        assert used.without_recovery_code(typed) is None
        factor = used


def test_a_secret_is_encrypted_for_its_account_only() -> None:
    vault, secret = SecretVault([ONE]), new_secret()
    sealed = vault.seal(secret, account_id="ann")
    assert secret not in sealed
    assert sealed != vault.seal(secret, account_id="ann"), "each has its own nonce"
    assert vault.open(sealed, account_id="ann") == (secret, False)
    assert vault.open(sealed, account_id="bob") is None
    altered = bytearray(base64.b64decode(sealed))
    altered[-1] ^= 1
    assert vault.open(base64.b64encode(altered).decode(), account_id="ann") is None


def test_a_former_key_still_decrypts_and_a_removed_one_does_not() -> None:
    sealed = SecretVault([ONE]).seal("secret", account_id="ann")
    assert SecretVault([OTHER, ONE]).open(sealed, account_id="ann") == ("secret", True)
    assert SecretVault([OTHER]).open(sealed, account_id="ann") is None


@pytest.mark.parametrize(
    "keys", [[], ["short"], [ONE[:-8]], [ONE, "not base64!"], [base64.b64encode(b"k" * 16).decode()]]
)
def test_another_kind_of_key_is_refused_and_not_shown(keys: list[str]) -> None:
    with pytest.raises(ValueError, match="SECOND_FACTOR_KEYS") as refused:
        SecretVault(keys)
    assert not any(key in str(refused.value) for key in keys)


def test_the_app_gets_secret_issuer_and_account_as_text_and_as_a_picture() -> None:
    uri = otpauth_uri(RFC_SECRET, email="ann+1@example.com")
    assert uri == f"otpauth://totp/Ticketing:ann%2B1%40example.com?secret={RFC_SECRET}&issuer=Ticketing"
    assert qr_code(uri).startswith("data:image/svg+xml;charset=utf-8,%3Csvg")
