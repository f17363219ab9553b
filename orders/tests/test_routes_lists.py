"""GET /api/orders: a buyer's orders, page by page."""

from typing import Final

import httpx
import pytest

from ticketing_common.entity import new_id

from .conftest import MakeTicket, RunningOrders

ORDERS: Final = "/api/orders"

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _holds(api: RunningOrders, make_ticket: MakeTicket, buyer: str, count: int) -> list[str]:
    ids = []
    for _ in range(count):
        listed = make_ticket()
        await api.service.follow_ticket(listed)
        ids.append((await api.hold(listed.id, user_id=buyer)).json()["id"])
    return ids


def _next(answer: httpx.Response) -> str | None:
    """The path-absolute URL of the next page."""
    link: str | None = answer.headers.get("link")
    if link is None:
        return None
    url, _, relation = link.partition(">; ")
    assert relation == 'rel="next"'
    assert url.startswith(f"<{ORDERS}?")
    return url[1:]


async def test_a_walk_through_ones_orders_meets_each_once_newest_first(
    api: RunningOrders, make_ticket: MakeTicket
) -> None:
    buyer = new_id()
    placed = await _holds(api, make_ticket, buyer, 5)
    await _holds(api, make_ticket, new_id(), 1)
    walked: list[str] = []
    url: str | None = f"{ORDERS}?limit=2"
    while url:
        answer = await api.client.get(url, headers=api.identity.headers(user_id=buyer))
        assert answer.status_code == 200
        if len(walked) == 2:  # a newer one in the middle of the walk moves nothing
            await _holds(api, make_ticket, buyer, 1)
        walked += [order["id"] for order in answer.json()]
        url = _next(answer)
    assert sorted(walked) == sorted(placed)
    newest = await api.call("GET", user_id=buyer)
    times = [order["createdAt"] for order in newest.json()]
    assert len(times) == 6
    assert times == sorted(times, reverse=True)


async def test_a_list_that_fits_has_no_next_page(api: RunningOrders, make_ticket: MakeTicket) -> None:
    buyer = new_id()
    assert (await api.call("GET", user_id=buyer)).json() == []
    await _holds(api, make_ticket, buyer, 2)
    answer = await api.call("GET", "?limit=2", user_id=buyer)
    assert len(answer.json()) == 2
    assert _next(answer) is None
