from typing import Any

import pytest
from pydantic import ValidationError

from ticketing_auth.app import create_app
from ticketing_auth.settings import Settings
from ticketing_testkit.apps import Identity

pytestmark = pytest.mark.unit


@pytest.fixture
def required(identity: Identity) -> dict[str, Any]:
    return {
        "mongo_url": "mongodb://localhost",
        "nats_url": "nats://localhost",
        "redis_url": "redis://localhost",
        "jwt_public_keys": [identity.public_key_pem],
        "jwt_key": identity.private_key_pem,
        "second_factor_keys": [identity.second_factor_key],
    }


def test_a_token_is_valid_for_half_an_hour_unless_set(required: dict[str, Any]) -> None:
    settings = Settings.model_validate(required)
    assert settings.session_minutes == 30
    assert settings.database_name == "auth"


def test_no_private_key_no_service(required: dict[str, Any]) -> None:
    del required["jwt_key"]
    with pytest.raises(ValidationError, match="jwt_key"):
        Settings.model_validate(required)


def test_the_private_key_is_in_no_repr(required: dict[str, Any], identity: Identity) -> None:
    settings = Settings.model_validate(required)
    assert identity.private_key_pem.splitlines()[1] not in f"{settings!r}{settings}"


def test_limits_can_be_set_and_switched_off(required: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATE_LIMIT_SIGNIN", "off")
    monkeypatch.setenv("RATE_LIMIT_SIGNUP", "3/hour")
    settings = Settings.model_validate(required)
    assert (settings.rate_limit_signin, settings.rate_limit_signup) == ("off", "3/hour")


@pytest.mark.parametrize(
    "wrong",
    [
        *({"pwned_passwords_url": "http://api.example.com/range/"}, {"pwned_passwords_url": "https://api.example.com"}),
        *({"session_minutes": 0}, {"password_threads": 0}, {"password_queue": -1}),
        *({"rate_limit_signin": "often"}, {"rate_limit_signup": ""}),
        *({"rate_limit_guesses": "9/hour"}, {"rate_limit_guesses": "many"}),
    ],
)
def test_an_invalid_setting_keeps_the_service_from_starting(required: dict[str, Any], wrong: Any) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(required | wrong)


def test_a_key_that_matches_no_public_key_prevents_the_start(required: dict[str, Any]) -> None:
    settings = Settings.model_validate(required | {"jwt_key": Identity().private_key_pem})
    with pytest.raises(ValueError, match="JWT_KEY"):
        create_app(settings)


def test_while_keys_rotate_the_private_one_belongs_to_one_of_several(required: dict[str, Any]) -> None:
    required["jwt_public_keys"] = [Identity().public_key_pem, *required["jwt_public_keys"]]
    create_app(Settings.model_validate(required))
