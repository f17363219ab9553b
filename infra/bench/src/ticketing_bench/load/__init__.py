"""The whole product under load: `market` is a running stack with people and tickets, `generator` asks from a process of
its own, each of the parts (`burst`, `sustained`, …) measures one thing, and `findings` says what came of it.
"""
