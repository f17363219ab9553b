"""A database for each test."""

from collections.abc import AsyncIterator

import pytest

from ticketing_common.storage import Database, connect


@pytest.fixture
async def database(mongo_url: str, database_name: str) -> AsyncIterator[Database]:
    """A database, connected as in a service."""
    client = connect(mongo_url, application="test")
    yield client[database_name]
    client.close()
