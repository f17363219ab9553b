"""The part of the demo about passes and check-in."""

from typing import Any

import httpx

from ticketing_common.security import PassKeys

from .scenario import Scenario, ScenarioError


def admit(scenario: Scenario, seller: str, buyer: str, order: Any, ticket_id: str) -> None:
    """The buyer's passes are verified, and one is checked in."""
    passes: list[Any] = []
    path = f"/api/orders/{order['id']}/passes"

    def show() -> str:
        passes[:] = scenario.expect(200, "GET", path, buyer)
        if [(one["seat"], one["status"]) for one in passes] != [(seat, "valid") for seat in sorted(order["seats"])]:
            raise ScenarioError(f"the passes of seats {order['seats']} are {passes}")
        keys = PassKeys.from_jwk_set(scenario.expect(200, "GET", "/api/orders/pass-keys", None))
        if [keys.verify(one["code"]).pass_id for one in passes] != [one["id"] for one in passes]:
            raise ScenarioError("a code names another pass")
        return f"{len(passes)} passes, signed"

    def qr_code() -> str:
        image = scenario.api.call("GET", f"{path}/{passes[0]['id']}.svg", buyer)
        if image.status_code != httpx.codes.OK or image.headers["content-type"] != "image/svg+xml":
            raise ScenarioError(f"the QR code is {image.status_code}, {image.headers['content-type']}")
        return f"SVG, {len(image.content)} bytes"

    def check_in(status: int, token: str) -> Any:
        return scenario.expect(status, "POST", "/api/orders/checkins", token, json={"code": passes[0]["code"]})

    def first() -> str:
        return f"201, seat {check_in(201, seller)['seat']}"

    def again() -> str:
        problem = check_in(409, seller)
        return f"409, {problem['passStatus']} at {problem['firstAt'][11:19]} UTC"

    def buyer_scans() -> str:
        return f"403, {check_in(403, buyer)['title']}"

    def counted() -> str:
        found = scenario.expect(200, "GET", f"/api/orders/checkins?ticketId={ticket_id}", seller)
        if found != {"sold": len(passes), "checkedIn": 1, "void": []}:
            raise ScenarioError(f"the counts are {found}")
        return f"{found['checkedIn']} of {found['sold']} admitted"

    scenario.step("family has a pass for each seat", show)
    scenario.step("a pass has a QR code", qr_code)
    scenario.step("only the seller checks in", buyer_scans)
    scenario.step("seller scans a pass", first)
    scenario.step("the second scan is refused", again)
    scenario.step("seller sees the check-ins", counted)
