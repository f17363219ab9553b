"""Creates the missing Secrets of a cluster: random passwords, key pairs, and addresses with them; writes no file.

    python infra/k8s/cluster_secrets.py --members 1 --apply

Without --apply it prints only the names. It does not change an existing Secret, so it is idempotent.
STRIPE_KEY, STRIPE_AUDIT_KEY, STRIPE_PUBLISHABLE_KEY, STRIPE_WEBHOOK_SECRET and SMTP_URL come from the environment;
without them it generates keys that only the Stripe double accepts, and the address of Mailpit.
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

from ticketing_common.topology import SERVICES

NAMESPACE = "ticketing"
HOST = "ticketing.dev"
# The keys of each service that uses timers. Timers of mails have ids that begin with `mail:`, those of holds do not.
TIMER_KEYS = {
    "expiration": ("arq:*", "expiration", "expiration:*"),
    "auth": ("arq:*:mail:*", "arq:abort", "mail", "mail:*"),
}
# The commands of arq 0.28 and of ticketing_common.timers, and none that runs scripts or changes the server. The tests
# of both services run as these users, so they fail if a command is missing here.
TIMER_COMMANDS = (
    *("select", "ping", "client|setinfo", "info", "dbsize"),
    *("multi", "exec", "discard", "watch", "unwatch"),
    *("get", "set", "psetex", "del", "exists", "expire", "incrby"),
    *("zadd", "zcard", "zincrby", "zmscore", "zrange", "zrangebyscore", "zrem", "zscore"),
)

Secret = tuple[str, dict[str, str]]


def password() -> str:
    """160 random bits without characters that need quoting; a letter first, because NATS could read a number."""
    return "p" + secrets.token_hex(20)


def private_pem(key: Ed25519PrivateKey) -> str:
    """The private key as a service reads it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def pass_keys() -> Iterator[Secret]:
    """The key that signs passes, for orders only. It publishes the public half itself; there is no earlier one."""
    yield "pass-signing", {"PASS_KEY": private_pem(Ed25519PrivateKey.generate()), "PASS_PUBLIC_KEYS": "[]"}


def second_factor_keys() -> Iterator[Secret]:
    """The key that encrypts the secrets of second factors, for auth only. Backups need it, too: keep a copy of it."""
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    yield "second-factor", {"SECOND_FACTOR_KEYS": json.dumps([key])}


def token_keys() -> Iterator[Secret]:
    """The Ed25519 pair: the private key for auth only, the public key for all."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    yield "jwt-signing", {"JWT_KEY": private_pem(key)}
    yield "jwt-verification", {"JWT_PUBLIC_KEYS": json.dumps([public])}


def databases(members: int) -> Iterator[Secret]:
    """For each service the secrets of its replica set, and the address for the service itself."""
    for service in SERVICES:
        users = {user: password() for user in ("admin", "service", "reader", "backup")}
        name = f"{service}-mongodb"
        hosts = ",".join(f"{name}-{number}.{name}:27017" for number in range(members))
        address = f"mongodb://{{}}:{{}}@{hosts}/{service}?replicaSet=rs0&authSource=admin"
        keyfile = base64.b64encode(secrets.token_bytes(512)).decode()
        yield name, {"keyfile": keyfile, **{f"{user}-password": value for user, value in users.items()}}
        yield f"{service}-database", {"MONGO_URL": address.format("service", users["service"])}
        # A configuration file of mongodump: on its command line the password would be visible in the process list.
        backup = f"mongodb://backup:{users['backup']}@{hosts}/?replicaSet=rs0&authSource=admin"
        yield f"{service}-database-backup", {"mongodump.yaml": f"uri: {backup}\n"}
        yield f"{service}-database-audit", {"MONGO_URL": address.format("reader", users["reader"])}


def bus() -> Iterator[Secret]:
    """The passwords of nats/users.conf, and the address for each service."""
    users = {user: password() for user in (*SERVICES, "audit", "operator", "route")}
    yield "nats-users", {f"{user.upper()}_PASSWORD": value for user, value in users.items()}
    for user in (*SERVICES, "audit", "operator"):
        yield f"{user}-nats", {"NATS_URL": f"nats://{user}:{users[user]}@nats:4222"}


def timers() -> Iterator[Secret]:
    """The users of Valkey, with a hash of the password. `default`, the user of the probes, may only ping."""
    passwords = {service: password() for service in TIMER_KEYS}
    commands = " ".join(f"+{command}" for command in TIMER_COMMANDS)
    users = ["user default on nopass resetkeys resetchannels -@all +ping"]
    for service, keys in TIMER_KEYS.items():
        digest = hashlib.sha256(passwords[service].encode()).hexdigest()
        allowed = " ".join(f"~{key}" for key in keys)
        users.append(f"user {service} on #{digest} {allowed} resetchannels -@all {commands}")
    yield "redis", {"users.acl": "".join(f"{user}\n" for user in users)}
    for service, value in passwords.items():
        yield f"{service}-redis", {"REDIS_URL": f"redis://{service}:{value}@redis:6379/0"}


def smtp() -> Iterator[Secret]:
    """The mail server from the environment, or Mailpit of the development overlay; elsewhere mails then wait."""
    yield "smtp", {"SMTP_URL": os.environ.get("SMTP_URL") or "smtp://mailpit:1025"}


def stripe() -> Iterator[Secret]:
    """Stripe's keys from the environment, or generated ones for the double."""
    yield (
        "stripe",
        {
            "STRIPE_KEY": os.environ.get("STRIPE_KEY") or f"sk_local_{secrets.token_hex(12)}",
            "STRIPE_WEBHOOK_SECRET": os.environ.get("STRIPE_WEBHOOK_SECRET") or f"whsec_{secrets.token_hex(16)}",
        },
    )
    public = os.environ.get("STRIPE_PUBLISHABLE_KEY") or f"pk_local_{secrets.token_hex(12)}"
    yield "stripe-publishable", {"STRIPE_PUBLISHABLE_KEY": public}


def stripe_audit() -> Iterator[Secret]:
    """The key of the audit: a restricted one with read access to PaymentIntents and charges, or that of payments."""
    key = os.environ.get("STRIPE_AUDIT_KEY") or os.environ.get("STRIPE_KEY") or f"sk_local_{secrets.token_hex(12)}"
    yield "stripe-audit", {"STRIPE_KEY": key}


def certificate() -> Iterator[Secret]:
    """A self-signed certificate for the gateway's listener, until cert-manager or mkcert replaces it."""
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
    """Groups of Secrets that are created completely or not at all, because addresses repeat the passwords."""
    own = [list(token_keys()), list(pass_keys()), list(second_factor_keys()), list(bus()), list(timers())]
    found = [*own, list(smtp()), list(stripe()), list(stripe_audit())]
    by_service = list(databases(members))
    found += [by_service[start : start + 4] for start in range(0, len(by_service), 4)]
    return [*found, list(certificate())] if tls else found


def manifest(name: str, data: dict[str, str]) -> dict[str, object]:
    """The manifest of a Secret."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls" if "tls.key" in data else "Opaque",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app.kubernetes.io/part-of": "ticketing"}},
        "stringData": data,
    }


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    """Run kubectl; raises `subprocess.CalledProcessError`. Values go through standard input, never an argument."""
    command = ["kubectl", "--namespace", NAMESPACE, *arguments]
    return subprocess.run(command, input=stdin, capture_output=stdin is None, text=True, check=True).stdout or ""  # noqa: S603


def main() -> None:
    """Create the missing Secrets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--members", type=int, default=1, choices=(1, 3), help="of each MongoDB replica set: dev 1, prod 3"
    )
    parser.add_argument("--tls", action="store_true", help="create a self-signed certificate too, without cert-manager")
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
        # `create`, not `apply`, which copies every value into an annotation.
        kubectl("create", "--filename", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": missing}))


if __name__ == "__main__":
    main()
