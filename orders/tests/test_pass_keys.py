"""The keys of passes: what keeps the service from starting, and a change of keys between two replicas."""

from itertools import pairwise

import pytest

from ticketing_common.security import PassClaims, PassCodeError
from ticketing_orders.pass_service import signing_keys
from ticketing_orders.settings import Settings
from ticketing_testkit.apps import Identity, service_settings_for

pytestmark = pytest.mark.unit

CLAIMS = PassClaims("a1" * 12, "b2" * 12, 3)


def settings(identity: Identity, **changes: object) -> Settings:
    unused = "mongodb://unused"
    common = service_settings_for(mongo_url=unused, database="orders", nats_url="nats://unused", identity=identity)
    return Settings.model_validate(common | changes)


@pytest.mark.parametrize("wrong", [{"pass_key": "pem"}, {"pass_public_keys": ["pem"]}])
def test_a_key_of_another_kind_keeps_the_service_from_starting(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="PASS_"):
        signing_keys(settings(Identity(), **wrong))


def test_a_key_of_tokens_signs_and_verifies_no_passes() -> None:
    identity = Identity()
    for wrong in ({"pass_key": identity.private_key_pem}, {"pass_public_keys": [identity.public_key_pem]}):
        with pytest.raises(ValueError, match="tokens"):
            signing_keys(settings(identity, **wrong))


def test_no_pass_is_refused_while_the_key_changes_replica_by_replica() -> None:
    """As docs/passes.md says: the next key is published, then it signs, and then the former one goes."""
    old, new = Identity(), Identity()
    steps = [
        settings(old),
        settings(old, pass_public_keys=[new.pass_public_key_pem]),
        settings(new, pass_public_keys=[old.pass_public_key_pem]),
    ]
    codes = [signing_keys(step)[0].sign(CLAIMS) for step in steps]
    assert codes[0] == codes[1] != codes[2]
    for before, after in pairwise(steps):
        for replica in (before, after):
            for signer in (before, after):
                code = signing_keys(signer)[0].sign(CLAIMS)
                assert signing_keys(replica)[1].verify(code) == CLAIMS
    with pytest.raises(PassCodeError):
        signing_keys(settings(new))[1].verify(codes[0])
    with pytest.raises(PassCodeError):
        signing_keys(steps[0])[1].verify(codes[2])
