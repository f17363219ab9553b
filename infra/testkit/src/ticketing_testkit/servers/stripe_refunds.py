"""Refunds, disputes and the list of events as Stripe documents them, added to localstripe in this process.

localstripe refunds more than was charged, has no disputes, sends no webhook of a refund, and lists events oldest first
without `types`. Stripe's rules: https://docs.stripe.com/refunds, https://docs.stripe.com/disputes/how-disputes-work,
https://docs.stripe.com/api/events/list. Only the double's process imports this module.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from aiohttp import web
from localstripe import resources
from localstripe.errors import UserError
from localstripe.resources import Charge, Event, List, PaymentIntent, Refund, StripeObject
from localstripe.server import unflatten_data
from localstripe.webhooks import schedule_webhook

INQUIRY: Final = frozenset({"warning_needs_response", "warning_under_review", "warning_closed"})
"""Inquiries: the bank asks for information, and no money is withdrawn."""
CLOSED: Final = frozenset({"won", "lost", "warning_closed", "prevented"})
STATUSES: Final = INQUIRY | CLOSED | {"needs_response", "under_review"}
NOT_REFUNDED: Final = frozenset({"failed", "canceled"})
LONGEST_PAGE: Final = 100

_create_refund = Refund.__init__
_create_intent = PaymentIntent._api_create
_take = Charge._capture


class Dispute(StripeObject):  # type: ignore[misc]  # localstripe has no types
    """A dispute or an inquiry of the buyer's bank."""

    object = "dispute"
    _id_prefix = "du_"

    def __init__(self, charge: Any, amount: int, reason: str, status: str) -> None:
        super().__init__()
        self.amount = amount
        self.charge = charge.id
        self.currency = charge.currency
        self.payment_intent = charge.payment_intent
        self.reason = reason
        self.status = status
        charge._disputed = True


def extend(app: web.Application) -> None:
    """Change localstripe's classes, and add missing routes and those with which a test acts as the bank."""
    Refund.__init__ = _refund
    Refund._api_list_all = classmethod(_list_of("charge", "payment_intent"))
    Event._api_list_all = classmethod(_list_of("type"))
    PaymentIntent._api_create = classmethod(_intent)
    PaymentIntent.amount_received = property(lambda intent: getattr(intent.latest_charge, "amount_captured", 0))
    Charge._capture = _capture
    Charge.amount_captured = property(lambda charge: getattr(charge, "_taken", charge.amount) * charge.captured)
    Charge.amount_refunded = property(lambda charge: getattr(charge, "_refunded", 0))
    Charge.refunds = property(_refunds)
    Charge.disputed = property(lambda charge: getattr(charge, "_disputed", False))
    Dispute._api_list_all = classmethod(_list_of("charge", "payment_intent"))
    app.router.add_get("/v1/disputes", _listed_disputes)
    app.router.add_get("/v1/disputes/{id}", _shown_dispute)
    app.router.add_post("/_config/disputes", _open_dispute)
    app.router.add_post("/_config/disputes/{id}", _move_dispute)
    app.router.add_post("/_config/refunds/{id}/fail", _fail_refund)


def recount() -> None:
    """Recompute the refunded amount of each charge after the store was read from its file."""
    refunds = list(_all(Refund))
    for refund in refunds:
        resources.store[f"charge:{refund.charge}"]._refunded = 0
    for refund in (found for found in refunds if found.status not in NOT_REFUNDED):
        resources.store[f"charge:{refund.charge}"]._refunded += refund.amount


def _send_events(subject: Any, *types: str) -> None:
    for event_type in types:
        schedule_webhook(Event(event_type, subject))


def _charge_of(charge: object, payment_intent: object) -> Any:
    """The charge of either parameter; https://docs.stripe.com/api/refunds/create."""
    if (charge is None) == (payment_intent is None):
        raise UserError(400, "Name a charge or a payment_intent.", {"code": "parameter_missing"})
    found = (
        PaymentIntent._api_retrieve(str(payment_intent)).latest_charge
        if charge is None
        else Charge._api_retrieve(str(charge))
    )
    if found is None or found.status != "succeeded" or not found.captured:
        raise UserError(400, "There is no successful charge.", {"code": "charge_not_captured"})
    return found


def _refund(
    refund: Any,
    charge: object = None,
    payment_intent: object = None,
    amount: object = None,
    metadata: object = None,
    **unknown: object,
) -> None:
    if unknown:
        raise UserError(400, "Received unknown parameters", {"code": "parameter_unknown", "param": next(iter(unknown))})
    of = _charge_of(charge, payment_intent)
    left = of.amount - of.amount_refunded
    if _withdrawn(of):
        raise UserError(400, "The charge is disputed.", {"code": "charge_disputed"})
    if left <= 0:
        raise UserError(400, "The charge has already been refunded.", {"code": "charge_already_refunded"})
    wanted = left if amount is None else resources.try_convert_to_int(amount)
    if type(wanted) is not int or not 0 < wanted <= left:
        raise UserError(400, "The amount is not between 1 and what is left of the charge.", {"param": "amount"})
    _create_refund(refund, charge=of.id, amount=wanted, metadata=metadata)
    refund.payment_intent = of.payment_intent
    of._refunded = of.amount_refunded + wanted
    _send_events(of, "charge.refunded")
    _send_events(refund, "refund.created")


def _refunds(charge: Any) -> Any:
    """The list in every answer that contains a charge. Only a charge that had a refund is searched for in the store."""
    url = f"/v1/charges/{charge.id}/refunds"
    return Refund._api_list_all(url, charge=charge.id) if hasattr(charge, "_refunded") else List(url)


def _withdrawn(charge: Any) -> bool:
    """Whether a dispute (not an inquiry) has withdrawn the money, temporarily or finally."""
    return charge.disputed and any(
        dispute.charge == charge.id and dispute.status not in INQUIRY | {"won", "prevented"}
        for dispute in _all(Dispute)
    )


def _capture(charge: Any, amount: object, on_success: Any = None) -> None:
    _take(charge, amount, on_success=on_success)
    charge._taken = charge.amount if amount is None else resources.try_convert_to_int(amount)


def _intent(_cls: Any, /, **fields: Any) -> Any:
    """Report an unknown payment method as Stripe does; https://docs.stripe.com/error-codes#resource-missing."""
    method = fields.get("payment_method")
    if method is not None:
        try:
            resources.PaymentMethod._api_retrieve(str(method))
        except UserError:
            error = {"code": "resource_missing", "param": "payment_method"}
            raise UserError(400, f"No such PaymentMethod: '{method}'", error) from None
    return _create_intent(**fields)


def _all(kind: Any) -> Iterable[Any]:
    prefix = f"{kind.object}:"
    return (found for key, found in resources.store.items() if key.startswith(prefix))


def _list_of(*filters: str) -> Any:
    """A list as Stripe returns it: newest first, at most 100, filtered by `created`, `types` and these fields."""

    def listed(
        cls: Any,
        url: str,
        limit: object = None,
        starting_after: str | None = None,
        created: object = None,
        types: object = None,
        **wanted: object,
    ) -> Any:
        unknown = wanted.keys() - set(filters)
        if unknown:
            raise UserError(400, f"Received unknown parameter: {unknown.pop()}", {"code": "parameter_unknown"})
        page = List(url, limit=min(int(str(limit or 10)), LONGEST_PAGE), starting_after=starting_after)
        page._list = [
            found
            for found in reversed(list(_all(cls)))
            if all(getattr(found, name) == value for name, value in wanted.items())
            and (not isinstance(types, list) or found.type in types)
            and _within(found.created, created)
        ]
        return page

    return listed


def _within(at: int, bounds: object) -> bool:
    bounds = bounds if isinstance(bounds, Mapping) else {}
    low, high = int(bounds.get("gte", 0)), int(bounds.get("lte", at))
    return low <= at <= high


async def _listed_disputes(request: web.Request) -> web.Response:
    query = unflatten_data(request.query)
    expand = query.pop("expand", None)
    return web.json_response(Dispute._api_list_all("/v1/disputes", **query)._export(expand=expand))


async def _shown_dispute(request: web.Request) -> web.Response:
    return web.json_response(Dispute._api_retrieve(request.match_info["id"])._export())


async def _open_dispute(request: web.Request) -> web.Response:
    """Open a dispute: `{"payment_intent" or "charge": …, "amount"?, "reason"?, "status"?}`."""
    asked = await request.json()
    charge = _charge_of(asked.get("charge"), asked.get("payment_intent"))
    status = _status(asked.get("status", "needs_response"))
    dispute = Dispute(charge, asked.get("amount", charge.amount), asked.get("reason", "fraudulent"), status)
    _send_events(dispute, "charge.dispute.created", *(() if status in INQUIRY else ("charge.dispute.funds_withdrawn",)))
    return web.json_response(dispute._export())


async def _move_dispute(request: web.Request) -> web.Response:
    """Set the status of a dispute: `{"status": …}`."""
    dispute = Dispute._api_retrieve(request.match_info["id"])
    dispute.status = _status((await request.json())["status"])
    if dispute.status == "won":
        _send_events(dispute, "charge.dispute.funds_reinstated")
    _send_events(dispute, "charge.dispute.closed" if dispute.status in CLOSED else "charge.dispute.updated")
    return web.json_response(dispute._export())


async def _fail_refund(request: web.Request) -> web.Response:
    """Fail a refund, as the buyer's bank can days later; https://docs.stripe.com/refunds#failed-refunds."""
    refund = Refund._api_retrieve(request.match_info["id"])
    if refund.status not in NOT_REFUNDED:
        refund.status = "failed"
        charge = Charge._api_retrieve(refund.charge)
        charge._refunded = charge.amount_refunded - refund.amount
        _send_events(refund, "refund.failed", "refund.updated", "charge.refund.updated")
    return web.json_response(refund._export())


def _status(status: str) -> str:
    if status not in STATUSES:
        raise UserError(400, "No such status", {"param": "status"})
    return status
