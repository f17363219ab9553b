"""The whole product under load: `market` is a running stack with accounts and tickets, `generator` sends requests from
a separate process, and each part (`burst`, `sustained`, …) measures one aspect and returns its findings.
"""
