"""Each is more patient than the one behind it, so that the one who knows says what is wrong."""

from typing import Any

import pytest

from ticketing_common.settings import ServiceSettings

pytestmark = pytest.mark.unit

SERVICES = frozenset({"auth", "tickets", "orders", "payments"})


def test_the_gateway_waits_longer_than_a_service_takes_to_answer_by_itself(production: list[dict[str, Any]]) -> None:
    rules = [rule for m in production if m["kind"] == "HTTPRoute" for rule in m["spec"].get("rules", [])]
    limits = {
        backend["name"]: float(rule["timeouts"]["request"].removesuffix("s"))
        for rule in rules
        for backend in rule.get("backendRefs", [])
        if backend["name"] in SERVICES
    }
    assert limits.keys() == SERVICES
    own = ServiceSettings.model_fields["request_seconds"].default
    assert all(limit == 0 or limit > own for limit in limits.values()), limits
