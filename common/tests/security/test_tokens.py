import base64
import hashlib
import hmac
import json
import math
import time
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)

from ticketing_common.entity import new_id
from ticketing_common.errors import UnauthenticatedError
from ticketing_common.security import TokenSigner, TokenVerifier, tokens
from ticketing_testkit.apps import AUDIENCE, ISSUER, Identity

pytestmark = pytest.mark.unit

SIGNED_IN_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LIFETIME = timedelta(minutes=30)

PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def encoded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def private_pem(key: PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(key: PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_a_token_has_the_user_and_the_expiry(signer: TokenSigner, verifier: TokenVerifier) -> None:
    before = datetime.now(UTC).replace(microsecond=0)  # a token counts in whole seconds
    user = verifier.verify(signer.sign(user_id="a" * 24, email="ann@example.com", signed_in_at=SIGNED_IN_AT))
    after = datetime.now(UTC)
    assert (user.id, user.email, user.signed_in_at, user.session_id) == (
        "a" * 24,
        "ann@example.com",
        SIGNED_IN_AT,
        None,
    )
    assert before + LIFETIME <= user.expires_at <= after + LIFETIME


def test_every_token_has_an_id_of_its_own_also_within_one_session(signer: TokenSigner, verifier: TokenVerifier) -> None:
    session = new_id()
    users = [
        verifier.verify(signer.sign(user_id="a", email="a@b.de", signed_in_at=SIGNED_IN_AT, session_id=session))
        for _ in "12"
    ]
    assert users[0].token_id != users[1].token_id
    assert users[0].session_id == users[1].session_id == session


def test_only_the_private_key_can_sign(verifier: TokenVerifier) -> None:
    with pytest.raises(UnauthenticatedError):
        verifier.verify(Identity().token())


def test_while_keys_rotate_tokens_of_either_are_good_and_afterwards_of_the_new_one_only(identity: Identity) -> None:
    new = Identity()
    both = TokenVerifier([new.public_key_pem, identity.public_key_pem], issuer=ISSUER, audience=AUDIENCE)
    both.verify(identity.token())
    both.verify(new.token())

    after = TokenVerifier([new.public_key_pem], issuer=ISSUER, audience=AUDIENCE)
    after.verify(new.token())
    with pytest.raises(UnauthenticatedError):
        after.verify(identity.token())


@pytest.mark.parametrize(
    "claims",
    [
        *({name: None} for name in ("sub", "email", "iss", "aud", "iat", "exp", "auth_time", "jti")),
        *({"iss": "https://evil.example"}, {"aud": "another"}, {"aud": []}, {"sub": 5}),
        *({"exp": "soon"}, {"exp": [1]}, {"auth_time": "noon"}, {"auth_time": 10**30}, {"auth_time": {}}),
        {"exp": 10**30},
    ],
    ids=str,
)
def test_a_token_with_wrong_or_missing_claims_is_refused(
    identity: Identity, verifier: TokenVerifier, claims: dict[str, Any]
) -> None:
    with pytest.raises(UnauthenticatedError):
        verifier.verify(identity.token(**claims))


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_a_token_of_the_future_is_refused(identity: Identity, verifier: TokenVerifier, claim: str) -> None:
    # The time is no parameter: each worker of pytest-xdist would collect a test of another name.
    claims: dict[str, Any] = {claim: int(time.time()) + 600}
    with pytest.raises(UnauthenticatedError):
        verifier.verify(identity.token(**claims))


def test_an_expired_token_is_refused_and_says_so(identity: Identity, verifier: TokenVerifier) -> None:
    with pytest.raises(UnauthenticatedError, match="expired"):
        verifier.verify(identity.token(exp=int(time.time()) - 10))


def test_clocks_may_differ_by_a_few_seconds(identity: Identity, verifier: TokenVerifier) -> None:
    now = math.ceil(time.time())  # rounded down, it would be nearly a second nearer to the limit of five
    verifier.verify(identity.token(exp=now - 3))
    verifier.verify(identity.token(iat=now + 3))


def test_a_cached_token_expires_like_any_other(
    identity: Identity, verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = identity.token()
    user = verifier.verify(token)
    assert verifier.verify(token) is user

    later = time.time() + 606
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.raises(UnauthenticatedError, match="expired"):
        verifier.verify(token)
    assert not verifier._verified


def test_the_number_of_cached_tokens_is_bounded(
    identity: Identity, verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "REMEMBERED_TOKENS", 3)
    for _ in range(5):
        verifier.verify(identity.token())
    assert len(verifier._verified) == 3


def test_a_refused_token_is_not_cached(verifier: TokenVerifier) -> None:
    for _ in range(3):
        with pytest.raises(UnauthenticatedError):
            verifier.verify(Identity().token())
    assert not verifier._verified


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "HS256", "RS256", "ES256", ""])
def test_the_algorithm_is_never_taken_from_the_token(
    identity: Identity, verifier: TokenVerifier, algorithm: str
) -> None:
    _header, payload, signature = identity.token().split(".")
    forged = encoded({"alg": algorithm, "typ": "JWT"})
    for last in (signature, ""):
        with pytest.raises(UnauthenticatedError):
            verifier.verify(f"{forged}.{payload}.{last}")


@pytest.mark.parametrize("header", ["jwk", "jku", "x5u", "kid"])
def test_a_key_inside_the_token_is_not_trusted(verifier: TokenVerifier, header: str) -> None:
    attacker = Identity()
    point = load_pem_public_key(attacker.public_key_pem.encode()).public_bytes(Encoding.Raw, PublicFormat.Raw)
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": base64.urlsafe_b64encode(point).rstrip(b"=").decode()}
    brought = {"jwk": jwk, "kid": "../../dev/null"}.get(header, "https://evil.example/keys")
    claims = jwt.decode(attacker.token(), options={"verify_signature": False})
    with pytest.raises(UnauthenticatedError):
        verifier.verify(jwt.encode(claims, attacker.private_key_pem, algorithm="EdDSA", headers={header: brought}))


def test_the_public_key_is_no_shared_secret(identity: Identity, verifier: TokenVerifier) -> None:
    _header, payload, _signature = identity.token().split(".")
    signed = f"{encoded({'alg': 'HS256', 'typ': 'JWT'})}.{payload}"
    mac = hmac.new(identity.public_key_pem.encode(), signed.encode(), hashlib.sha256).digest()
    with pytest.raises(UnauthenticatedError):
        verifier.verify(f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}")


def test_a_changed_payload_no_longer_fits_its_signature(identity: Identity, verifier: TokenVerifier) -> None:
    header, payload, signature = identity.token().split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    with pytest.raises(UnauthenticatedError):
        verifier.verify(f"{header}.{encoded({**claims, 'sub': 'b' * 24})}.{signature}")


@pytest.mark.parametrize("end", ["", "AAAA"], ids=["shorter", "longer"])
def test_a_signature_of_another_length_is_refused(identity: Identity, verifier: TokenVerifier, end: str) -> None:
    with pytest.raises(UnauthenticatedError):
        verifier.verify(identity.token()[:-4] + 2 * end)


@pytest.mark.parametrize(
    "token", ["", ".", "..", "a.b.c", "nonsense", "é.é.é", "\0", "a" * 10_000, "eyJhbGciOiJFZERTQSJ9.."]
)
def test_what_is_no_token_is_refused(verifier: TokenVerifier, token: str) -> None:
    with pytest.raises(UnauthenticatedError):
        verifier.verify(token)


def test_a_key_of_another_kind_keeps_the_service_from_starting(identity: Identity) -> None:
    for key in (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())):
        with pytest.raises(ValueError, match="JWT_KEY"):
            TokenSigner(private_pem(key), issuer=ISSUER, audience=AUDIENCE, lifetime_seconds=60)
        with pytest.raises(ValueError, match="JWT_PUBLIC_KEYS"):
            TokenVerifier([identity.public_key_pem, public_pem(key)], issuer=ISSUER, audience=AUDIENCE)
    with pytest.raises(ValueError, match="JWT_PUBLIC_KEYS"):
        TokenVerifier([], issuer=ISSUER, audience=AUDIENCE)
    with pytest.raises(ValueError):
        TokenVerifier(["no pem"], issuer=ISSUER, audience=AUDIENCE)


def test_tokens_are_signed_with_ed25519(signer: TokenSigner) -> None:
    token = signer.sign(user_id="a", email="a@b.de", signed_in_at=SIGNED_IN_AT)
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "typ": "JWT"}
