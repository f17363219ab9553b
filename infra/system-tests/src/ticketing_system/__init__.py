"""The whole marketplace under faults and races: one `Market`, over a stack of processes or inside one event loop."""
