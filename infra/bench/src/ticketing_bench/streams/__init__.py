"""The latency of live updates to a thousand browsers."""
