"""All requests arrive from the gateway; the limits per address must count the address of the buyer."""

from typing import Any

import pytest
import uvicorn
from httpx import ASGITransport, AsyncClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from ticketing_common.web.rate_limit import address

pytestmark = pytest.mark.unit

BUYER, FORGED = "203.0.113.9", "198.51.100.1"
GATEWAY = "10.244.1.7"


async def _seen(peer: str, forwarded_for: str) -> str:
    """The address that a service counts for a request of `peer` with that header; uvicorn is configured as deployed."""

    async def respond(request: Request) -> PlainTextResponse:
        return PlainTextResponse(await address(request))

    config = uvicorn.Config(Starlette(routes=[Route("/", respond)]), lifespan="off", log_config=None)
    config.load()
    transport = ASGITransport(app=config.loaded_app, client=(peer, 40_000))
    async with AsyncClient(transport=transport, base_url="http://tickets") as client:
        return (await client.get("/", headers={"X-Forwarded-For": forwarded_for})).text


@pytest.fixture
def settings(manifests: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the overlay's common settings in the environment of this process."""
    data = next(
        m["data"] for m in manifests if m["kind"] == "ConfigMap" and m["metadata"]["name"].startswith("settings")
    )
    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    for name, value in data.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("settings")
async def test_the_address_of_the_buyer_is_counted() -> None:
    assert await _seen(GATEWAY, BUYER) == BUYER


@pytest.mark.usefixtures("settings")
async def test_a_page_rendered_for_a_buyer_counts_for_that_buyer() -> None:
    """Browser, gateway, client, service: the client forwards the header of the gateway."""
    assert await _seen("10.244.2.3", f"{BUYER}, {GATEWAY}") == BUYER


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize("hop", ["10.244.1.7", "100.64.3.4", "172.16.9.1", "192.168.4.4"])
async def test_a_proxy_that_writes_ipv4_mapped_addresses_is_trusted(hop: str) -> None:
    """Node writes such addresses when it listens on `::`."""
    assert await _seen("10.244.2.3", f"::ffff:{BUYER}, ::ffff:{hop}") == BUYER


@pytest.mark.usefixtures("settings")
async def test_a_forwarded_address_made_up_by_the_buyer_is_not_trusted() -> None:
    assert await _seen(GATEWAY, f"{FORGED}, {BUYER}") == BUYER


@pytest.mark.usefixtures("settings")
async def test_no_proxy_outside_the_cluster_is_trusted() -> None:
    assert await _seen(BUYER, FORGED) == BUYER


async def test_without_the_setting_all_buyers_share_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)

    assert await _seen(GATEWAY, BUYER) == GATEWAY


def test_the_client_trusts_the_same_proxies_as_the_services(manifests: list[dict[str, Any]]) -> None:
    """The client calls services for the visitor of a page; it trusts X-Forwarded-For of configured proxies only."""
    client = next(m for m in manifests if m["kind"] == "Deployment" and m["metadata"]["name"] == "client")
    container = client["spec"]["template"]["spec"]["containers"][0]
    source = next(one["valueFrom"] for one in container["env"] if one["name"] == "FORWARDED_ALLOW_IPS")
    settings = next(
        m for m in manifests if m["kind"] == "ConfigMap" and m["metadata"]["name"] == source["configMapKeyRef"]["name"]
    )
    assert "10.0.0.0/8" in settings["data"][source["configMapKeyRef"]["key"]].split(",")
