"""The proxy that adds Stripe's idempotency, webhooks and faults to the double."""

import asyncio
from secrets import token_hex

import httpx
import pytest

from ticketing_testkit.bank import Bank
from ticketing_testkit.stripe_proxy import StripeProxy
from ticketing_testkit.waiting import until

from .conftest import KEY, Merchant


async def test_the_same_key_and_body_give_the_first_answer_again(merchant: Merchant, bank: Bank) -> None:
    order, key = token_hex(6), token_hex(6)
    first, second = [await merchant.begin(key, **{"metadata[order_id]": order}) for _ in range(2)]
    assert first.content == second.content
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert len(await bank.intents_of(order)) == 1


async def test_the_same_key_with_another_body_is_an_error_without_effect(merchant: Merchant, bank: Bank) -> None:
    order, key = token_hex(6), token_hex(6)
    await merchant.begin(key, **{"metadata[order_id]": order})
    other = await merchant.begin(key, amount="1", **{"metadata[order_id]": order})
    assert (other.status_code, other.json()["error"]["type"]) == (400, "idempotency_error")
    assert len(await bank.intents_of(order)) == 1


async def test_a_key_belongs_to_its_account(proxy: StripeProxy, merchant: Merchant) -> None:
    key = token_hex(6)
    first = await merchant.begin(key)
    async with httpx.AsyncClient(base_url=proxy.url, headers={"Authorization": "Bearer sk_test_other"}) as http:
        other = await Merchant(http).begin(key)
    assert other.status_code == 200
    assert first.json()["id"] != other.json()["id"]


async def test_during_the_first_call_a_second_with_its_key_is_a_conflict(
    proxy: StripeProxy, merchant: Merchant, bank: Bank
) -> None:
    order, key = token_hex(6), token_hex(6)
    both = await asyncio.gather(*(merchant.begin(key, **{"metadata[order_id]": order}) for _ in range(2)))
    assert len(await bank.intents_of(order)) == 1
    for answer in both:
        if answer.status_code != 200:
            assert (answer.status_code, answer.json()["error"]["code"]) == (409, "idempotency_key_in_use")


async def test_a_500_after_the_start_of_execution_is_stored_for_its_key(
    proxy: StripeProxy, merchant: Merchant, bank: Bank
) -> None:
    order, key = token_hex(6), token_hex(6)
    proxy.fail("crashed", "POST /v1/payment_intents$")
    answers = [await merchant.begin(key, **{"metadata[order_id]": order}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [500, 500]
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert len(await bank.intents_of(order)) == 1, "it was executed anyway"


async def test_a_refusal_before_execution_is_not_stored_for_its_key(proxy: StripeProxy, merchant: Merchant) -> None:
    key = token_hex(6)
    proxy.fail("away", "POST ")
    proxy.fail("refused", "POST ", status=429, error={"code": "rate_limit"})
    statuses = [(await merchant.begin(key)).status_code for _ in range(3)]
    assert statuses == [503, 429, 200]


async def test_a_call_whose_response_is_lost_is_executed(proxy: StripeProxy, merchant: Merchant, bank: Bank) -> None:
    intent_id = (await merchant.begin()).json()["id"]
    await merchant.post(f"/v1/payment_intents/{intent_id}/confirm")
    proxy.fail("lost", "/capture$")
    with pytest.raises(httpx.RemoteProtocolError):
        await merchant.post(f"/v1/payment_intents/{intent_id}/capture", "one")
    assert (await bank.intent(intent_id))["status"] == "succeeded"
    again = await merchant.post(f"/v1/payment_intents/{intent_id}/capture", "one")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json()["status"] == "succeeded"


async def test_a_call_whose_response_never_arrives_is_executed(proxy: StripeProxy, bank: Bank) -> None:
    order = token_hex(6)
    proxy.fail("silent", "POST ")
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=proxy.url, headers=headers, timeout=httpx.Timeout(60, read=0.5)) as http:
        with pytest.raises(httpx.ReadTimeout):
            await Merchant(http).begin(**{"metadata[order_id]": order})

    async def executed() -> bool:
        return len(await bank.intents_of(order)) == 1

    await until(executed)


async def test_the_proxy_restarts_on_its_port(stripe_url: str) -> None:
    async with StripeProxy.start(stripe_url) as first:
        port = int(first.url.rpartition(":")[2])
    async with StripeProxy.start(stripe_url, port=port) as second:
        assert second.url == first.url


HIDDEN = b"POST /v1/refunds HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
FRAMINGS = {
    "length": (b"Content-Length: %d\r\n" % len(HIDDEN), HIDDEN),
    "length named by Connection": (b"Connection: content-length\r\nContent-Length: %d\r\n" % len(HIDDEN), HIDDEN),
    "chunked": (b"Transfer-Encoding: chunked\r\n", b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)),
    "chunked named by Connection": (
        b"Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n",
        b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN),
    ),
}


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("method", [b"GET", b"DELETE", b"OPTIONS", b"POST", b"PUT"])
async def test_a_body_never_becomes_a_second_call(method: bytes, framing: str) -> None:
    """Request smuggling (RFC 9112 §11.2): the proxy sets the framing of its own requests to the double."""
    sent: list[tuple[bytes, bytes]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lines = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:] if line)
                sent.append((head.split(b" ")[0], await reader.readexactly(int(lines.get(b"content-length", b"0")))))
                assert b"transfer-encoding" not in lines
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server, StripeProxy.start(f"http://{host}:{port}") as proxy:
        reader, writer = await asyncio.open_connection(host, int(proxy.url.rpartition(":")[2]))
        headers, content = FRAMINGS[framing]
        follower = b"GET /v1/after HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        writer.write(b"%b /v1/refunds/re_1 HTTP/1.1\r\nHost: x\r\n%b\r\n%b%b" % (method, headers, content, follower))
        await reader.read()
        writer.close()
    assert [method for method, _ in sent] in ([method], [method, b"GET"])
    assert sent[0][1] in (b"", HIDDEN)
    assert [call.path for call in proxy.calls][:1] == ["/v1/refunds/re_1"]
