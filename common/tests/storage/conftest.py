"""A repository whose commits are recorded."""

import pytest

from ticketing_common.storage import Commit, Database, Outbox

from .parcels import ParcelRepository


@pytest.fixture
def commits() -> list[Commit]:
    return []


@pytest.fixture
async def parcels(database: Database, commits: list[Commit]) -> ParcelRepository:
    repository = ParcelRepository(Outbox(database["parcels"], commits.append))
    await repository.ensure_indexes()
    return repository
