"""What an audit of the marketplace reports."""

import nats

from ticketing_ops.audit import audit

from .breaks import BreakBus
from .marketplace import Marketplace


async def named(marketplace: Marketplace, *, grace_seconds: float = 0.0) -> list[str]:
    """The invariants that an audit without grace reports."""
    report = await audit(marketplace.addresses, grace_seconds=grace_seconds)
    return [violation.invariant for violation in report.violations]


async def on_bus(marketplace: Marketplace, act: BreakBus) -> None:
    client = await nats.connect(marketplace.addresses.nats_url)
    await act(client.jetstream())
    await client.close()
