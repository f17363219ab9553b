from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
from starlette.responses import Response

from ticketing_common.errors import ForbiddenError
from ticketing_common.security import AuthenticationMiddleware

from .conftest import Browse

pytestmark = pytest.mark.unit

COOKIE = {"Cookie": "theme=dark; session=anything"}
OWN = "https://ticketing.dev"


@pytest.fixture
async def browser(browse: Browse, checks: Mapping[str, Any]) -> AsyncIterator[httpx.AsyncClient]:
    async with browse(AuthenticationMiddleware(Response("done"), **checks)) as browser:
        yield browser


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "headers",
    [
        *({"Origin": origin} for origin in ("https://evil.example", "null", "", "http://ticketing.dev")),
        *(
            {"Origin": origin}
            for origin in (f"{OWN}.evil.example", f"{OWN}:8443", f"{OWN}/", "https://a.ticketing.dev")
        ),
        *({"Sec-Fetch-Site": site} for site in ("cross-site", "same-site", "")),
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
    ],
    ids=str,
)
async def test_another_sites_page_cannot_write_with_the_visitors_cookie(
    browser: httpx.AsyncClient, method: str, headers: dict[str, str]
) -> None:
    with pytest.raises(ForbiddenError):
        await browser.request(method, "/", headers={**COOKIE, **headers})


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": OWN},
        {"Origin": "http://localhost:3000"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
    ids=str,
)
async def test_our_own_pages_may_write(browser: httpx.AsyncClient, headers: dict[str, Any]) -> None:
    assert (await browser.post("/", headers={**COOKIE, **headers})).text == "done"


async def test_what_is_no_browser_may_write(browser: httpx.AsyncClient) -> None:
    assert (await browser.post("/", headers=COOKIE)).text == "done"


async def test_without_the_cookie_there_is_nothing_to_forge(browser: httpx.AsyncClient) -> None:
    evil = {"Origin": "https://evil.example"}
    assert (await browser.post("/", headers=evil)).text == "done"
    assert (await browser.post("/", headers={**evil, "Cookie": "theme=dark"})).text == "done"
    assert (await browser.post("/", headers={**evil, "Authorization": "Bearer x"})).text == "done"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_reading_is_free(browser: httpx.AsyncClient, method: str) -> None:
    answer = await browser.request(method, "/", headers={**COOKIE, "Origin": "https://evil.example"})
    assert answer.status_code == 200


@pytest.mark.parametrize("cookies", ['odd={"a":1}; session=x', "session=x; flag", " session = x"])
async def test_malformed_cookies_do_not_hide_the_session_cookie(browser: httpx.AsyncClient, cookies: str) -> None:
    """The check must see every cookie that authentication sees."""
    with pytest.raises(ForbiddenError):
        await browser.post("/", headers={"Cookie": cookies, "Origin": "https://evil.example"})
