"""The `ticketing` command: runs the whole marketplace on one machine."""
