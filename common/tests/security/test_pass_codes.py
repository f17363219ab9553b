"""The codes of passes: what is signed is what is read, and nothing else is accepted."""

import base64
import json
from datetime import UTC, datetime
from typing import Any, Final

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from ticketing_common.security import MAX_PASS_CODE, PassClaims, PassCodeError, PassKeys, PassSigner

pytestmark = pytest.mark.unit


def private_pem(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


KEY: Final = Ed25519PrivateKey.generate()
SIGNER: Final = PassSigner(private_pem(KEY))
KEYS: Final = PassKeys.of(SIGNER, [])
KID: Final = KEYS.jwk_set()[0].kid
CLAIMS: Final = PassClaims("a1" * 12, "b2" * 12, 12, datetime(2031, 5, 1, 18, 30, tzinfo=UTC))
CODE: Final = SIGNER.sign(CLAIMS)
PAYLOAD: Final[dict[str, object]] = {"pass": "a1" * 12, "ticket": "b2" * 12, "seat": 12, "starts": 1_935_426_600}

ids = st.text("0123456789abcdef", min_size=24, max_size=24)
times = st.none() | st.integers(0, 253_402_300_799).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
all_claims = st.builds(PassClaims, ids, ids, st.integers(1, 2**31 - 1), times)


def base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def forged(
    payload: object = PAYLOAD, *, key: Any = KEY, algorithm: str | None = "EdDSA", kid: object = KID, **headers: object
) -> str:
    """A code as an attacker, or a later version, may sign it."""
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    if isinstance(kid, str):
        headers["kid"] = kid
    return jwt.PyJWS().encode(content, key, algorithm, headers={"typ": "", **headers})


def assembled(header: object, payload: object = PAYLOAD, signature: bytes = b"\0" * 64) -> str:
    """A code of parts that no library would sign."""
    return ".".join([*(base64url(json.dumps(part).encode()) for part in (header, payload)), base64url(signature)])


# --- what is signed ---------------------------------------------------------------------------------------------------


@given(all_claims)
def test_what_is_signed_is_what_is_read(claims: PassClaims) -> None:
    code = SIGNER.sign(claims)
    assert KEYS.verify(code) == claims
    assert SIGNER.sign(claims) == code
    assert len(code) <= 340, "a code of a QR code that a telephone reads easily"


def test_the_header_names_algorithm_and_key_alone_and_the_payload_has_four_claims() -> None:
    header, payload, _ = (base64.urlsafe_b64decode(part + "==") for part in CODE.split("."))
    assert json.loads(header) == {"alg": "EdDSA", "kid": KID}
    assert json.loads(payload) == PAYLOAD
    undated = SIGNER.sign(PassClaims("a1" * 12, "b2" * 12, 12))
    assert json.loads(base64.urlsafe_b64decode(undated.split(".")[1] + "==")).keys() == {"pass", "ticket", "seat"}


def test_the_id_of_a_key_is_the_thumbprint_of_rfc_8037() -> None:
    """Appendix A.3, with the public key of appendix A.2."""
    keys = PassKeys.from_jwk_set(
        {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}
    )
    assert keys.jwk_set()[0].kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_the_published_set_verifies_and_holds_no_private_member() -> None:
    published = {"keys": [key.model_dump() for key in KEYS.jwk_set()]}
    assert [set(key) for key in published["keys"]] == [{"kty", "crv", "x", "kid", "use", "alg"}]
    assert PassKeys.from_jwk_set(json.loads(json.dumps(published))).verify(CODE) == CLAIMS


def test_unknown_claims_are_ignored() -> None:
    assert KEYS.verify(forged({**PAYLOAD, "gate": "north"})) == CLAIMS


# --- several keys -----------------------------------------------------------------------------------------------------


def test_codes_of_an_earlier_key_stay_valid_as_long_as_its_public_half_is_there() -> None:
    new = PassSigner(private_pem(Ed25519PrivateKey.generate()))
    both = PassKeys.of(new, [public_pem(KEY)])
    assert both.verify(CODE) == both.verify(new.sign(CLAIMS)) == CLAIMS
    assert [key.kid for key in both.jwk_set()][1] == KID
    with pytest.raises(PassCodeError, match="unknown key"):
        PassKeys.of(new, []).verify(CODE)
    with pytest.raises(PassCodeError, match="unknown key"):
        KEYS.verify(new.sign(CLAIMS))


def test_a_key_that_is_given_twice_is_one_key() -> None:
    assert len(PassKeys.of(SIGNER, [public_pem(KEY), public_pem(KEY)]).jwk_set()) == 1


EC_KEY: Final = ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize(
    "wrong",
    ["", "pem", private_pem(EC_KEY), public_pem(KEY)],
    ids=["nothing", "no PEM", "another curve", "the public half"],
)
def test_only_an_ed25519_private_key_signs(wrong: str) -> None:
    with pytest.raises(ValueError, match="PASS_KEY"):
        PassSigner(wrong)


@pytest.mark.parametrize(
    "wrong",
    ["", "pem", private_pem(KEY), public_pem(EC_KEY)],
    ids=["nothing", "no PEM", "the private half", "another curve"],
)
def test_only_ed25519_public_keys_verify(wrong: str) -> None:
    with pytest.raises(ValueError, match="PASS_PUBLIC_KEYS"):
        PassKeys.of(SIGNER, [wrong])


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"keys": {}},
        {"keys": []},
        {"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, "key", None]},
        {"keys": [{"kty": "OKP", "crv": "Ed25519"}]},
        {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": 1}]},
        {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}]},
        {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "€"}]},
    ],
)
def test_what_is_no_set_with_a_key_is_refused(document: object) -> None:
    with pytest.raises(ValueError):
        PassKeys.from_jwk_set(document)


def test_keys_of_other_types_in_a_set_are_ignored() -> None:
    keys = [{"kty": "EC", "crv": "P-256"}, *(key.model_dump() for key in KEYS.jwk_set())]
    assert PassKeys.from_jwk_set({"keys": keys}).verify(CODE) == CLAIMS


# --- hostile codes ----------------------------------------------------------------------------------------------------


@given(st.integers(0, len(CODE) - 1), st.characters(codec="ascii", categories=["L", "N", "P", "S"]))
def test_no_character_of_a_code_can_be_changed(position: int, other: str) -> None:
    changed = CODE[:position] + other + CODE[position + 1 :]
    if changed != CODE:
        with pytest.raises(PassCodeError):
            KEYS.verify(changed)


@given(st.text(max_size=MAX_PASS_CODE + 8) | st.from_regex(r"\A[\w-]*\.[\w-]*\.[\w-]*\Z"))
def test_no_text_is_accepted_or_raises_another_error(text: str) -> None:
    with pytest.raises(PassCodeError):
        KEYS.verify(text)


OTHER: Final = Ed25519PrivateKey.generate()
X: Final = KEYS.jwk_set()[0].x
HOSTILE: Final[dict[str, str]] = {
    "nothing": "",
    "dots": "..",
    "four parts": CODE + ".AAAA",
    "two parts": CODE.rpartition(".")[0],
    "no signature": CODE.rpartition(".")[0] + ".",
    "a space after it": CODE + " ",
    "a line break in it": CODE[:50] + "\n" + CODE[50:],
    "half a surrogate pair": "\ud800" + CODE[1:],
    "another alphabet": CODE.replace("_", "/").replace("-", "+") + "/",
    "the JSON serialisation": json.dumps({"payload": "", "signatures": []}),
    "algorithm none": assembled({"alg": "none", "kid": KID}, signature=b""),
    "no algorithm": assembled({"kid": KID}),
    "an algorithm that is no text": assembled({"alg": ["EdDSA"], "kid": KID}),
    "the public key as a secret": forged(key=X, algorithm="HS256"),
    "another curve": forged(key=ec.generate_private_key(ec.SECP256R1()), algorithm="ES256"),
    "another key under our id": forged(key=OTHER),
    "an unknown key": forged(key=OTHER, kid="kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
    "no id of a key": forged(kid=None),
    "an id of a key that is no text": assembled({"alg": "EdDSA", "kid": {"a": 1}}),
    "its own key in the header": forged(key=OTHER, kid=None, jwk={"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}),
    "its own address of keys": forged(key=OTHER, kid=None, jku="http://127.0.0.1/keys"),
    "a critical extension": assembled({"alg": "EdDSA", "kid": KID, "crit": ["exp"], "exp": 1}),
    "a detached payload": assembled({"alg": "EdDSA", "kid": KID, "b64": False, "crit": ["b64"]}),
    "a header that is a list": assembled(["EdDSA"]),
    "a header of brackets": base64url(b"[" * 150) + ".e30.AAAA",
    "a payload of brackets": forged(b"[" * 150),
    "a payload that is no JSON": forged(b"pass"),
    "a payload that is no UTF-8": forged(b'{"pass":"\xff"}'),
    "a payload that is a list": forged([PAYLOAD]),
    "no claims": forged({}),
    "a session token's claims": forged({"sub": "a1" * 12, "iss": "https://ticketing.dev", "exp": 4_102_444_800}),
    "another id": forged({**PAYLOAD, "pass": "A1" * 12}),
    "a shorter id": forged({**PAYLOAD, "ticket": "b2"}),
    "an id with a line break": forged({**PAYLOAD, "ticket": "b2" * 12 + "\n"}),
    "an id that is an operator": forged({**PAYLOAD, "ticket": {"$gt": ""}}),
    "seat 0": forged({**PAYLOAD, "seat": 0}),
    "a seat that is a text": forged({**PAYLOAD, "seat": "12"}),
    "a seat that is true": forged({**PAYLOAD, "seat": True}),
    "half a seat": forged({**PAYLOAD, "seat": 1.5}),
    "a time before 1970": forged({**PAYLOAD, "starts": -1}),
    "a time after the year 9999": forged({**PAYLOAD, "starts": 253_402_300_800}),
    "a time that is a text": forged({**PAYLOAD, "starts": "2031-05-01T18:30:00Z"}),
}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_code_is_refused(hostile: str) -> None:
    assert len(hostile) <= MAX_PASS_CODE, "its length alone would refuse it"
    with pytest.raises(PassCodeError) as refused:
        KEYS.verify(hostile)
    assert (refused.value.status, refused.value.errors[0].field) == (422, "code")


def test_the_control_of_the_forger_is_accepted() -> None:
    """The negative control: without a fault the same forger makes a code that verifies."""
    assert KEYS.verify(forged()) == CLAIMS


def test_a_seat_is_a_number_that_the_database_can_store() -> None:
    with pytest.raises(PassCodeError):
        KEYS.verify(forged({**PAYLOAD, "seat": 2**31}))


def test_a_long_code_is_refused_before_anything_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*_: object) -> None:
        pytest.fail("the code was decoded")

    monkeypatch.setattr(jwt.PyJWS, "get_unverified_header", decode)
    with pytest.raises(PassCodeError, match="too long"):
        KEYS.verify(CODE + "A" * (MAX_PASS_CODE + 1 - len(CODE)))
