import pytest
from pydantic import ValidationError

from ticketing_expiration.settings import Settings

pytestmark = pytest.mark.unit

REQUIRED = {"mongo_url": "mongodb://db", "nats_url": "nats://bus", "jwt_public_keys": ["a key"]}


def test_without_redis_url_the_service_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    with pytest.raises(ValidationError, match="redis_url"):
        Settings.model_validate(REQUIRED)


def test_the_address_of_redis_is_not_shown() -> None:
    settings = Settings.model_validate({**REQUIRED, "redis_url": "redis://:hidden@redis"})
    assert "hidden" not in repr(settings)


def test_the_workers_health_listens_on_loopback_by_default() -> None:
    settings = Settings.model_validate({**REQUIRED, "redis_url": "redis://redis"})
    assert settings.worker_health_host == "127.0.0.1"
