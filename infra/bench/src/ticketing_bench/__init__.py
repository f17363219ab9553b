"""Load, latency and fault runs against the whole marketplace, and their plots."""
