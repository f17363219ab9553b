"""A server with a certificate (`UVICORN_SSL_CERTFILE`), started as the images start it: TLS only, and renewed."""

import asyncio
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette

from ticketing_common.web.http_protocol import HttpProtocol
from ticketing_testkit.authority import Authority
from ticketing_testkit.servers import free_port
from ticketing_testkit.waiting import until

APPLICATION = """
import asyncio
from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

numbers = asyncio.Queue()

async def about(request):
    return JSONResponse({"caller": request.client.host, "scheme": request.url.scheme})

async def publish(request):
    await numbers.put(request.path_params["number"])
    return JSONResponse({})

async def stream(request):
    async def lines():
        while True:
            yield f"{await numbers.get()}\\n"
    return StreamingResponse(lines())

app = Starlette(routes=[Route("/about", about), Route("/publish/{number}", publish), Route("/stream", stream)])

if __name__ == "__main__":
    import os
    from types import SimpleNamespace
    from ticketing_common.web.worker_app import serve_worker

    serve_worker(app, SimpleNamespace(worker_health_host="127.0.0.1", worker_health_port=int(os.environ["PORT"])))
"""
PROTOCOL = ("--loop", "uvloop", "--http", "ticketing_common.web.http_protocol:HttpProtocol")
COMMANDS = {
    "service": ("-m", "uvicorn", "application:app", "--limit-concurrency", "50", *PROTOCOL),
    "worker": ("-m", "application"),
}


class Secret:
    """A mounted Secret: the kubelet replaces all its files at once, through one symbolic link."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "tls"
        self._versions = 0

    def write(self, authority: Authority) -> None:
        self._point_to(self._next(authority))

    def write_unusable(self, authority: Authority) -> None:
        """A key that does not belong to the certificate."""
        made, other = self._next(authority), self._next(authority)
        (made / "tls.key").write_bytes((other / "tls.key").read_bytes())
        self._point_to(made)

    def _next(self, authority: Authority) -> Path:
        self._versions += 1
        made = self.folder.with_name(f"version-{self._versions}")
        authority.fill(made, ["localhost"])
        return made

    def _point_to(self, made: Path) -> None:
        link = self.folder.with_name("link")
        link.symlink_to(made)
        link.replace(self.folder)


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def secret(tmp_path: Path, authority: Authority) -> Secret:
    made = Secret(tmp_path)
    made.write(authority)
    return made


@pytest.fixture(params=["service"])
async def server(
    request: pytest.FixtureRequest, secret: Secret, authority: Authority, tmp_path: Path
) -> AsyncIterator[str]:
    """The address of a process with the images' options."""
    (tmp_path / "application.py").write_text(APPLICATION)
    port = free_port()
    environment = {
        "UVICORN_SSL_CERTFILE": str(secret.folder / "tls.crt"),
        "UVICORN_SSL_KEYFILE": str(secret.folder / "tls.key"),
        "UVICORN_PORT": str(port),
        "PORT": str(port),
        "FORWARDED_ALLOW_IPS": "127.0.0.1",
        "PYTHONPATH": str(tmp_path),
    }
    with (tmp_path / "log").open("w") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *COMMANDS[request.param], env=os.environ | environment, stdout=output, stderr=output
        )
    try:
        address = f"https://localhost:{port}"
        await until(lambda: _answered(address, authority))
        yield address
        process.terminate()
        async with asyncio.timeout(60):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert "Traceback" not in (tmp_path / "log").read_text()
    assert process.returncode in (0, -signal.SIGTERM)


def _client(address: str, authority: Authority) -> httpx.AsyncClient:
    context = ssl.create_default_context(cadata=authority.pem.decode())
    return httpx.AsyncClient(base_url=address, verify=context, timeout=60, headers={"X-Forwarded-For": "203.0.113.9"})


async def _answered(address: str, authority: Authority) -> dict[str, str] | None:
    """What a new connection is answered; None without one that this CA's certificate verifies."""
    async with _client(address, authority) as client:
        try:
            answer: dict[str, str] = (await client.get("/about")).json()
        except httpx.TransportError:
            return None
        return answer


async def test_a_renewed_certificate_is_served_without_a_restart_and_ends_no_stream(
    server: str, secret: Secret, authority: Authority
) -> None:
    other = Authority("another CA")
    async with _client(server, authority) as client, client.stream("GET", "/stream") as stream:
        lines = stream.aiter_lines()
        await client.get("/publish/1")
        assert await anext(lines) == "1"

        secret.write(other)

        assert await _answered(server, other) == {"caller": "203.0.113.9", "scheme": "https"}
        assert await _answered(server, authority) is None
        async with _client(server, other) as later:
            await later.get("/publish/2")
        assert await anext(lines) == "2"

        secret.write_unusable(authority)
        assert await _answered(server, other), "the certificate before is still served"
        secret.write(authority)
        assert await _answered(server, authority)


@pytest.mark.parametrize("server", COMMANDS, indirect=True)
async def test_a_server_with_a_certificate_does_not_answer_in_the_clear(server: str) -> None:
    async with httpx.AsyncClient(base_url=server.replace("https", "http"), timeout=60) as client:
        with pytest.raises(httpx.TransportError):
            await client.get("/about")


def test_the_server_requires_tls_1_2(secret: Secret) -> None:
    config = uvicorn.Config(
        Starlette(),
        http=HttpProtocol,
        ssl_certfile=secret.folder / "tls.crt",
        ssl_keyfile=secret.folder / "tls.key",
    )
    config.load()
    assert config.ssl is not None
    assert config.ssl.minimum_version == ssl.TLSVersion.TLSv1_2
