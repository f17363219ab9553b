"""The rate limit key of a network address."""

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from ticketing_common.web import address

pytestmark = pytest.mark.unit

PROXY = "10.244.1.7"


async def counted_as(peer: str, *forwarded_for: str) -> str:
    """As uvicorn passes the request on if it trusts `PROXY`."""

    async def show(request: Request) -> PlainTextResponse:
        return PlainTextResponse(await address(request))

    config = uvicorn.Config(
        Starlette(routes=[Route("/", show)]), lifespan="off", log_config=None, forwarded_allow_ips="10.0.0.0/8"
    )
    config.load()
    transport = httpx.ASGITransport(app=config.loaded_app, client=(peer, 40_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://tickets") as client:
        return (await client.get("/", headers=[("X-Forwarded-For", value) for value in forwarded_for])).text


@pytest.mark.parametrize(
    ("host", "bucket"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("::FFFF:cb00:7109", "203.0.113.9"),
        ("64:ff9b::203.0.113.9", "203.0.113.9"),
        ("2002:cb00:7109::1", "203.0.113.9"),
        ("2002:cb00:7109:ffff::1", "203.0.113.9"),
        ("2001:0:c000:201:0:63bf:34ff:8ef6", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("fe80::1%eth1", "fe80::/64"),
        ("::1", "::/64"),
        ("", "unknown"),
        ("testclient", "unknown"),
        ("203.0.113.009", "unknown"),
        ("1" * 5_000, "unknown"),
        ("fe80::1%" + "z" * 5_000, "unknown"),
    ],
)
async def test_each_family_has_its_bucket(host: str, bucket: str) -> None:
    assert await counted_as(host) == bucket


@pytest.mark.parametrize(
    ("header", "bucket"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:51000", "203.0.113.9"),
        ("[2001:db8::1]:51000", "2001:db8::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("[::ffff:203.0.113.9]:51000", "203.0.113.9"),
        (f"203.0.113.9, {PROXY}", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("my own bucket, 203.0.113.9", "203.0.113.9"),
        ("my own bucket", "unknown"),
        ("_hidden", "unknown"),
        ("[2001:db8::1", "unknown"),
        ("", PROXY),
    ],
)
async def test_an_entry_of_a_trusted_proxy_is_read_in_every_form(header: str, bucket: str) -> None:
    assert await counted_as(PROXY, header) == bucket


async def test_a_caller_cannot_choose_its_bucket_by_a_header() -> None:
    made_up = {await counted_as("203.0.113.9", f"198.51.100.{number}") for number in range(5)}
    behind_a_proxy = {await counted_as(PROXY, f"198.51.100.{number}", "203.0.113.9") for number in range(5)}
    assert made_up == behind_a_proxy == {"203.0.113.9"}
