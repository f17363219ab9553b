"""Each timeout is longer than that of the next hop, so that the service that knows the error reports it."""

from typing import Any

import pytest

from ticketing_common.settings import ServiceSettings
from ticketing_common.topology import SERVICES

pytestmark = pytest.mark.unit

PUBLIC = {service.name for service in SERVICES.values() if service.path}


def test_the_gateway_waits_longer_than_the_request_deadline_of_a_service(production: list[dict[str, Any]]) -> None:
    rules = [rule for m in production if m["kind"] == "HTTPRoute" for rule in m["spec"].get("rules", [])]
    limits = {
        backend["name"]: float(rule["timeouts"]["request"].removesuffix("s"))
        for rule in rules
        for backend in rule.get("backendRefs", [])
        if backend["name"] in PUBLIC
    }
    assert limits.keys() == PUBLIC
    own = ServiceSettings.model_fields["request_seconds"].default
    assert all(limit == 0 or limit > own for limit in limits.values()), limits
