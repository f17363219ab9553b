"""The cost of event delivery over the bare broker: relay, latency from commit to handler, consumer."""
