"""The public HTTP API as a caller outside sees it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx

from ticketing_common.topology import SERVICES

__all__ = ["Api"]

_SERVICES: Final = {service.path: service.name for service in SERVICES.values() if service.path}


class Api:
    """Calls by path; goes to the one public address when there is one, or else to the service that owns the path."""

    def __init__(self, http: httpx.Client, addresses: Mapping[str, str]) -> None:
        self._http = http
        self._addresses = addresses

    def url(self, path: str) -> str:
        """`/api/tickets/…` → where that is answered."""
        return self.address(self._addresses, path)

    @staticmethod
    def address(addresses: Mapping[str, str], path: str) -> str:
        """The same, for other HTTP clients."""
        if "client" in addresses:
            return f"{addresses['client']}{path}"
        noun = path.split("/")[2].partition("?")[0]
        return f"{addresses[_SERVICES[noun]]}{path}"

    def call(self, method: str, path: str, token: str | None = None, **arguments: Any) -> httpx.Response:
        """One call, as the bearer of `token`."""
        headers = {**arguments.pop("headers", {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        response = self._http.request(method, self.url(path), headers=headers, **arguments)
        self._http.cookies.clear()  # several people share this HTTP client; each is known by the token only
        return response

    def account(self, email: str, password: str) -> str:
        """Sign up, or in when the account exists; returns a token. Raises `httpx.HTTPStatusError`."""
        made = self.call("POST", "/api/users/signup", json={"email": email, "password": password})
        if made.status_code != httpx.codes.CONFLICT:
            made.raise_for_status()
        answer = self.call("POST", "/api/users/token", data={"username": email, "password": password})
        answer.raise_for_status()
        token: str = answer.json()["access_token"]
        return token

    def pages(self, path: str, token: str | None = None) -> Iterator[dict[str, Any]]:
        """Every item of a list, following `Link: …; rel="next"`."""
        following: str | None = path
        while following:
            response = self.call("GET", following, token)
            response.raise_for_status()
            yield from response.json()
            following = response.links.get("next", {}).get("url")
