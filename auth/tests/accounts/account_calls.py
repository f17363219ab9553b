"""Calls of an account's owner, and the mails that they request."""

from typing import Any

from ticketing_auth.mail import Mail, MailKind
from ticketing_auth.repository import OneTimeTokens
from ticketing_auth.service import account_mails

from ..conftest import PASSWORD, RunningAuth


class Post:
    """What the mail worker does with requested mails, up to the rendering."""

    def __init__(self, auth: RunningAuth) -> None:
        self._auth = auth
        self.mails = auth.app.state.mails.collection
        self.tokens = OneTimeTokens(auth.app.state.runtime.collection("one_time_tokens"))

    async def values(self, kind: MailKind) -> list[Any]:
        """The values of every requested mail of a kind; None for a mail that is dropped."""
        found = []
        async for document in self.mails.find({"kind": kind.value}).sort("requested_at", 1):
            mail = Mail(
                id=document["_id"],
                kind=kind,
                user_id=document["user_id"],
                values=document["values"],
                attempts=0,
                requested_at=document["requested_at"],
            )
            user = await self._auth.users.find(mail.user_id)
            found.append(await account_mails(self.tokens)[kind](mail, user) if user else None)
        return found

    async def token(self, kind: MailKind) -> str:
        """The token in the newest mail of a kind."""
        token: str = (await self.values(kind))[-1]["token"]
        return token


async def who(auth: RunningAuth, token: str) -> Any:
    return (await auth.current_user(bearer=token)).json()["currentUser"]


async def api_token(auth: RunningAuth, password: str = PASSWORD) -> str:
    token: str = (await auth.token(password=password)).json()["access_token"]
    return token
