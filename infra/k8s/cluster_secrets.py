"""Makes the Secrets that a cluster still lacks: random passwords, a key pair, addresses made of them; nothing on disk.

    python infra/k8s/cluster_secrets.py --members 1 --apply

Without --apply only the names are printed. A Secret that exists is left alone, so running it again changes nothing.
STRIPE_KEY, STRIPE_PUBLISHABLE_KEY and STRIPE_WEBHOOK_SECRET are taken from the environment; without them the Stripe
double's kind is made up, which Stripe itself refuses.
"""

import argparse
import base64
import hashlib
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from ticketing_common.topology import OWNERS, SERVICES

NAMESPACE = "ticketing"
ON_THE_BUS = tuple(owner.name for owner in OWNERS.values())
HOST = "ticketing.dev"
TIMER_KEYS = ("arq:*", "expiration", "expiration:*")
# What arq 0.28 and expiration's timers.py send, and nothing that runs scripts or changes the server. The tests of
# expiration run as this user, so a command that is missing here fails them.
TIMER_COMMANDS = (
    *("select", "ping", "client|setinfo", "info", "dbsize"),
    *("multi", "exec", "discard", "watch", "unwatch"),
    *("get", "set", "psetex", "del", "exists", "expire", "incrby"),
    *("zadd", "zcard", "zincrby", "zmscore", "zrange", "zrangebyscore", "zrem", "zscore"),
)

Secret = tuple[str, dict[str, str]]


def password() -> str:
    """160 bits that need no quoting anywhere; a letter first, or NATS reads a number."""
    return "p" + secrets.token_hex(20)


def token_keys() -> Iterator[Secret]:
    """The Ed25519 pair: the private half for auth alone, the public one for all."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    yield "jwt-signing", {"JWT_KEY": private}
    yield "jwt-verification", {"JWT_PUBLIC_KEYS": json.dumps([public])}


def databases(members: int) -> Iterator[Secret]:
    """Per service what its replica set needs, and the address that the service itself is told."""
    for service in SERVICES:
        users = {user: password() for user in ("admin", "service", "reader", "backup")}
        name = f"{service}-mongodb"
        hosts = ",".join(f"{name}-{number}.{name}:27017" for number in range(members))
        address = f"mongodb://{{}}:{{}}@{hosts}/{service}?replicaSet=rs0&authSource=admin"
        keyfile = base64.b64encode(secrets.token_bytes(512)).decode()
        yield name, {"keyfile": keyfile, **{f"{user}-password": value for user, value in users.items()}}
        yield f"{service}-database", {"MONGO_URL": address.format("service", users["service"])}
        # A file of mongodump's: an address on its command line would show the password to whoever lists processes.
        backup = f"mongodb://backup:{users['backup']}@{hosts}/?replicaSet=rs0&authSource=admin"
        yield f"{service}-database-backup", {"mongodump.yaml": f"uri: {backup}\n"}
        yield f"{service}-database-audit", {"MONGO_URL": address.format("reader", users["reader"])}


def bus() -> Iterator[Secret]:
    """The passwords of nats/users.conf, and each service's own address."""
    users = {user: password() for user in (*ON_THE_BUS, "operator", "route")}
    yield "nats-users", {f"{user.upper()}_PASSWORD": value for user, value in users.items()}
    for user in (*ON_THE_BUS, "operator"):
        yield f"{user}-nats", {"NATS_URL": f"nats://{user}:{users[user]}@nats:4222"}


def timers() -> Iterator[Secret]:
    """The users of Valkey, which gets a hash of the password. `default`, the user of the probes, may only ping."""
    value = password()
    digest = hashlib.sha256(value.encode()).hexdigest()
    keys, commands = " ".join(f"~{key}" for key in TIMER_KEYS), " ".join(f"+{command}" for command in TIMER_COMMANDS)
    yield (
        "redis",
        {
            "users.acl": "user default on nopass resetkeys resetchannels -@all +ping\n"
            f"user expiration on #{digest} {keys} resetchannels -@all {commands}\n"
        },
    )
    yield "expiration-redis", {"REDIS_URL": f"redis://expiration:{value}@redis:6379/0"}


def stripe() -> Iterator[Secret]:
    """Stripe's, from the environment; or some that only the double takes."""
    yield (
        "stripe",
        {
            "STRIPE_KEY": os.environ.get("STRIPE_KEY") or f"sk_local_{secrets.token_hex(12)}",
            "STRIPE_WEBHOOK_SECRET": os.environ.get("STRIPE_WEBHOOK_SECRET") or f"whsec_{secrets.token_hex(16)}",
        },
    )
    public = os.environ.get("STRIPE_PUBLISHABLE_KEY") or f"pk_local_{secrets.token_hex(12)}"
    yield "stripe-publishable", {"STRIPE_PUBLISHABLE_KEY": public}


def certificate() -> Iterator[Secret]:
    """A self-signed one, until cert-manager or mkcert replaces it: the gateway's listener needs some."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST), x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    yield "ticketing-tls", {"tls.crt": made.public_bytes(Encoding.PEM).decode(), "tls.key": private}


def groups(members: int, *, tls: bool) -> list[list[Secret]]:
    """What belongs together: made as a whole or not at all, since addresses repeat the passwords beside them."""
    found = [list(token_keys()), list(bus()), list(timers()), list(stripe())]
    by_service = list(databases(members))
    found += [by_service[start : start + 4] for start in range(0, len(by_service), 4)]
    return [*found, list(certificate())] if tls else found


def manifest(name: str, data: dict[str, str]) -> dict[str, object]:
    """A Secret as Kubernetes takes it."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls" if "tls.key" in data else "Opaque",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app.kubernetes.io/part-of": "ticketing"}},
        "stringData": data,
    }


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    """Run kubectl; raises `subprocess.CalledProcessError`. Values go through its standard input, never an argument."""
    command = ["kubectl", "--namespace", NAMESPACE, *arguments]
    return subprocess.run(command, input=stdin, capture_output=stdin is None, text=True, check=True).stdout or ""  # noqa: S603


def main() -> None:
    """Make what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--members", type=int, default=1, choices=(1, 3), help="of each MongoDB replica set: dev 1, prod 3"
    )
    parser.add_argument("--tls", action="store_true", help="a self-signed certificate too, where no cert-manager is")
    parser.add_argument("--apply", action="store_true", help="create them with kubectl")
    options = parser.parse_args()
    wanted = groups(options.members, tls=options.tls)
    if not options.apply:
        sys.stdout.write("".join(f"{name}: {', '.join(data)}\n" for group in wanted for name, data in group))
        return
    there = set(kubectl("get", "secrets", "--output", "jsonpath={.items[*].metadata.name}").split())
    missing: list[object] = []
    for group in wanted:
        names = {name for name, _ in group}
        if names <= there:
            continue
        if names & there:
            sys.exit(
                f"Of {sorted(names)} only {sorted(names & there)} exist, and they belong together: delete those first."
            )
        missing += [manifest(name, data) for name, data in group]
    if missing:
        # `create`, not `apply`: that would copy every value into an annotation.
        kubectl("create", "--filename", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": missing}))


if __name__ == "__main__":
    main()
