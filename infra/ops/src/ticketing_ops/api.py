"""A client of the public HTTP API."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx

from ticketing_common.topology import SERVICES

_SERVICES: Final = {service.path: service.name for service in SERVICES.values() if service.path}


class Api:
    """Calls by path: to the public address if there is one, otherwise to the service that owns the path."""

    def __init__(self, http: httpx.Client, addresses: Mapping[str, str]) -> None:
        self._http = http
        self._addresses = addresses

    def url(self, path: str) -> str:
        """The URL that serves a path such as `/api/tickets/…`."""
        return self.address(self._addresses, path)

    @staticmethod
    def address(addresses: Mapping[str, str], path: str) -> str:
        """The URL that serves `path`, for callers that use their own HTTP client."""
        if "client" in addresses:
            return f"{addresses['client']}{path}"
        noun = path.split("/")[2].partition("?")[0]
        return f"{addresses[_SERVICES[noun]]}{path}"

    def call(self, method: str, path: str, token: str | None = None, **arguments: Any) -> httpx.Response:
        """Send one request, with `token` as bearer token if given."""
        headers = {**arguments.pop("headers", {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        response = self._http.request(method, self.url(path), headers=headers, **arguments)
        self._http.cookies.clear()  # several accounts share this HTTP client; only the token identifies each
        return response

    def account(self, email: str, password: str) -> str:
        """Create the account if it does not exist, sign in, and return a token. Raises `httpx.HTTPStatusError`."""
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
