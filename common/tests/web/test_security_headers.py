"""The security and caching headers of every response, from any layer."""

import base64
import hashlib
import re

import httpx
import pytest
from fastapi import FastAPI

from ticketing_common.settings import EventServiceSettings
from ticketing_common.web import create_service_app
from ticketing_testkit.apps import Identity, run_app

THING = {"title": "A thing", "price": 10}
EXPECTED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


async def test_every_answer_has_them(client: httpx.AsyncClient, identity: Identity) -> None:
    signed_in = identity.headers()
    cookie = {"Cookie": f"session={identity.token()}", "Origin": "https://elsewhere.example"}
    client.headers["Origin"] = "https://elsewhere.example"  # a bearer token needs no origin of ours
    answers = {
        "a list": await client.get("/api/things"),
        "made": await client.post("/api/things", json=THING, headers=signed_in),
        "not valid": await client.post("/api/things", json={}, headers=signed_in),
        "not JSON": await client.post(
            "/api/things", content=b"{", headers={**signed_in, "Content-Type": "application/json"}
        ),
        "not signed in": await client.post("/api/things", json=THING),
        "from elsewhere": await client.post("/api/things", json=THING, headers=cookie),
        "a bad key": await client.post("/api/things", json=THING, headers={**signed_in, "Idempotency-Key": "a b"}),
        "too large": await client.post("/api/things", content=b"x" * 70_000, headers=signed_in),
        "a conflict": await client.post("/api/things", json={**THING, "title": "taken"}, headers=signed_in),
        "slower": await client.post("/api/things", json={**THING, "title": "busy"}, headers=signed_in),
        "away": await client.post("/api/things", json={**THING, "title": "away"}, headers=signed_in),
        "a bug": await client.post("/api/things", json={**THING, "title": "bug"}, headers=signed_in),
        "not found": await client.get("/nothing"),
        "a wrong method": await client.patch("/api/things"),
        "options": await client.options("/api/things"),
        "head": await client.head("/api/things"),
        **{path: await client.get(path) for path in ("/healthz", "/readyz", "/metrics", "/api/things/openapi.json")},
    }
    assert len({answer.status_code for answer in answers.values()}) > 10
    for name, answer in answers.items():
        assert {header: answer.headers.get(header) for header in EXPECTED} == EXPECTED, name
        names = {key.title() for key in answer.headers}
        assert not {"Server", "X-Powered-By", "Strict-Transport-Security"} & names, name
        assert not [header for header in names if header.startswith("Access-Control-")], name


async def test_a_service_behind_tls_asks_for_it(service_settings: dict[str, object], app: FastAPI) -> None:
    async def asked(*, secure: bool) -> str | None:
        settings = EventServiceSettings.model_validate(
            {"service_name": "things", **service_settings, "cookie_secure": secure}
        )
        assemble = app.state.assemble
        async with run_app(create_service_app(settings, title="Things", assemble=assemble)) as client:
            answer: str | None = (await client.get("/healthz")).headers.get("Strict-Transport-Security")
            return answer

    assert await asked(secure=True) == "max-age=31536000; includeSubDomains"
    assert await asked(secure=False) is None


async def test_the_documentation_page_runs_our_own_scripts_only(client: httpx.AsyncClient) -> None:
    page = await client.get("/api/things/docs")
    sources = re.findall(r"""(?:src|href)=["']([^"']+)""", page.text)
    assert len(sources) == 3
    for source in sources:
        assert source.startswith("/api/things/docs/")
        file = await client.get(source)
        assert file.status_code == 200
        assert file.headers["Cache-Control"] == "public, max-age=86400"
        assert file.headers["X-Content-Type-Options"] == "nosniff"
    assert "http://" not in page.text
    assert "https://" not in page.text

    policy = page.headers["Content-Security-Policy"]
    script = re.search(r"<script>(.*?)</script>", page.text, re.DOTALL)
    assert script is not None
    hashed = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'self' 'sha256-{hashed}';" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe-inline" not in policy.replace("style-src 'self' 'unsafe-inline'", "")


@pytest.mark.parametrize("file", ["swagger-ui-bundle.js.map", "..%2fcore.py", "redoc.standalone.js", ""])
async def test_the_documentation_serves_no_other_file(client: httpx.AsyncClient, file: str) -> None:
    assert (await client.get(f"/api/things/docs/{file}")).status_code == 404
