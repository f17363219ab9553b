import asyncio
from datetime import timedelta

from ticketing_auth.domain import User
from ticketing_auth.repository import RevokedSessions, UserRepository
from ticketing_common.entity import new_id, utc_now
from ticketing_common.storage import Database


def a_user(email: str = "ann@example.com") -> User:
    return User(email=email, password_hash="$argon2id$")


async def test_a_user_is_found_by_email_as_stored(users: UserRepository) -> None:
    user = a_user()
    await users.add(user)
    assert await users.find_by_email("ann@example.com") == user
    assert await users.get(user.id) == user
    assert await users.find_by_email("bob@example.com") is None


async def test_the_index_allows_one_account_per_email(users: UserRepository) -> None:
    results = await asyncio.gather(*(users.add(a_user()) for _ in range(12)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["EmailTakenError"] * 11 + ["NoneType"]
    assert await users.collection.count_documents({}) == 1


async def test_without_the_index_the_race_has_many_winners(users: UserRepository) -> None:
    """Negative control: the index prevents duplicates, not luck."""
    await users.collection.drop_index("one_user_per_email")
    await asyncio.gather(*(users.add(a_user()) for _ in range(12)))
    assert await users.collection.count_documents({}) == 12


async def test_the_search_by_email_uses_its_index(users: UserRepository) -> None:
    plan = await users.collection.find({"email": "ann@example.com"}).explain()
    assert "one_user_per_email" in str(plan["queryPlanner"]["winningPlan"])


async def test_a_revoked_session_stays_revoked(revoked: RevokedSessions) -> None:
    session, other = new_id(), new_id()
    await asyncio.gather(*(revoked.add(session, forgotten_at=utc_now() + timedelta(days=7)) for _ in range(4)))
    assert await revoked.contains(session)
    assert not await revoked.contains(other)


async def test_the_database_removes_a_revoked_session_by_itself(revoked: RevokedSessions, database: Database) -> None:
    indexes = await database["revoked_sessions"].index_information()
    assert indexes["expiry"]["expireAfterSeconds"] == 0
    assert indexes["expiry"]["key"] == [("forgotten_at", 1)]
