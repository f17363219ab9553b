"""The whole marketplace on one machine: the `ticketing` command."""
