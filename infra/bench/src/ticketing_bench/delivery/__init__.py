"""What the event backbone costs over the bare broker: relay, latency from commit to handler, consumer."""
