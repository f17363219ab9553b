"""Keys on their way from the environment into the cluster."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from ticketing_ci.cluster import Manifest
from ticketing_ci.given_secrets import STRIPE, STRIPE_AUDIT, apply_given, given

from .test_release import OnPaper

pytestmark = pytest.mark.unit

KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
PRIVATE = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _reader(name: str, secret: str) -> Manifest:
    setting = {"name": "X", "valueFrom": {"secretKeyRef": {"name": secret, "key": "X"}}}
    containers = [{"name": name, "image": "x", "env": [{"name": "BASELINE", "value": "1"}, setting]}]
    return {"metadata": {"name": name}, "spec": {"template": {"spec": {"containers": containers}}}}


def test_the_public_half_is_made_from_the_key_and_goes_first() -> None:
    found = given({"JWT_KEY": PRIVATE})

    assert list(found) == ["jwt-verification", "jwt-signing"]
    assert json.loads(found["jwt-verification"]["JWT_PUBLIC_KEYS"]) == [PUBLIC]
    assert found["jwt-signing"]["JWT_KEY"] == PRIVATE


def test_tokens_of_the_key_before_stay_valid_while_it_is_named() -> None:
    found = given({"JWT_KEY": PRIVATE, "JWT_PREVIOUS_PUBLIC_KEYS": '["before"]'})

    assert json.loads(found["jwt-verification"]["JWT_PUBLIC_KEYS"]) == [PUBLIC, "before"]


def test_the_key_of_passes_goes_to_orders_with_the_public_keys_that_stay_valid() -> None:
    found = given({"PASS_KEY": PRIVATE.strip(), "PASS_OTHER_PUBLIC_KEYS": '["before"]'})

    assert found == {"pass-signing": {"PASS_KEY": PRIVATE, "PASS_PUBLIC_KEYS": '["before"]'}}
    assert given({"PASS_KEY": PRIVATE})["pass-signing"]["PASS_PUBLIC_KEYS"] == "[]"


def test_the_keys_of_second_factors_go_to_auth_as_a_list() -> None:
    assert given({"SECOND_FACTOR_KEYS": ' ["bmV3", "b2xk"]\n'}) == {
        "second-factor": {"SECOND_FACTOR_KEYS": '["bmV3", "b2xk"]'}
    }


def test_nothing_given_is_nothing_to_do() -> None:
    assert given({"JWT_KEY": "", "PASS_KEY": "", "STRIPE_KEY": ""}) == {}


def test_half_of_what_stripe_needs_is_refused_without_telling_it() -> None:
    with pytest.raises(ValueError, match="only STRIPE_KEY is given") as refusal:
        given({"STRIPE_KEY": "the value"})

    assert "the value" not in str(refusal.value)


def test_the_audit_gets_the_restricted_key_and_payments_the_other() -> None:
    found = given({**dict.fromkeys(STRIPE, "full"), STRIPE_AUDIT: "restricted"})

    assert found["stripe-audit"] == {"STRIPE_KEY": "restricted"}
    assert "restricted" not in found["stripe"].values()
    assert given(dict.fromkeys(STRIPE, "full"))["stripe-audit"] == {"STRIPE_KEY": "full"}


def test_what_differs_is_written_and_its_readers_start_again() -> None:
    cluster = OnPaper(
        objects={
            ("deployment", "payments"): _reader("payments", "stripe"),
            ("deployment", "auth"): _reader("auth", "x"),
        }
    )
    cluster.applied.append("")
    wanted = given(dict.fromkeys(STRIPE, "value"))

    assert apply_given(cluster, wanted) == ["stripe", "stripe-audit", "stripe-publishable"]
    assert cluster.restarted == ["payments"]
    assert cluster.waited == ["deployment/payments"]
    assert base64.b64decode(cluster.stored[0]["data"]["STRIPE_KEY"]) == b"value"

    assert apply_given(cluster, wanted) == [], "a second time nothing is written"
    assert len(cluster.stored) == 3
    assert cluster.restarted == ["payments"]
