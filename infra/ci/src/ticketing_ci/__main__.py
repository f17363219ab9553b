"""`python -m ticketing_ci <verb>`, called by the Makefile's targets. Only the verbs for a cluster need .venv."""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from ticketing_ci import changes, deployed, git, images, licences, osv, versions
from ticketing_ci.commit_message import problems
from ticketing_ci.parts import IMAGES
from ticketing_common.topology import SERVICES

ROOT = Path(__file__).resolve().parents[4]
ALLOWANCES = ROOT / "infra/ci/allowances.toml"

PACKAGES = ("common", *SERVICES, "infra/testkit", "infra/ops", "infra/local", "infra/bench", "infra/system-tests")


def _changes(options: argparse.Namespace) -> None:
    print("\n".join(changes.lines(changes.plan_since(options.base, options.head))))


def _last_deployed(options: argparse.Namespace) -> None:
    print(deployed.last_deployed(options.repository, options.environment))


def _image(options: argparse.Namespace) -> None:
    if options.registry:
        print(f"digest={images.push(options.registry, options.name)}")
    else:
        images.try_build(options.name)


def _missing(options: argparse.Namespace) -> None:
    print("missing=" + str(images.missing(options.registry)).replace("'", '"'))


def _tag(options: argparse.Namespace) -> None:
    images.tag(options.registry, options.name, options.digest)


def _commits(options: argparse.Namespace) -> None:
    texts = [options.file.read_text()] if options.file else git.messages(options.base, options.head)
    found = [
        f"{text.strip().splitlines()[0] if text.strip() else '(empty)'}\n  {problem}"
        for text in texts
        for problem in problems(text)
    ]
    _end("\n".join(found))


def _licences(_: argparse.Namespace) -> None:
    allowed = licences.allowed_licences(ALLOWANCES)
    found = licences.refused(licences.python_packages(), allowed)
    found += licences.refused(licences.npm_packages(ROOT / "client/package-lock.json"), allowed)
    found += [f"{name}: allowed, but no longer installed" for name in allowed if not licences.installed(name)]
    _end("\n".join(found))


def _audit(_: argparse.Namespace) -> None:
    locks = [ROOT / path for path in git.tracked("*requirements.lock")]
    manifests = [(ROOT / path).read_text() for path in git.tracked("infra/k8s*.yaml")]
    program, servers = osv.scanner(Path(sys.executable).parent), osv.server_packages(manifests)
    found = osv.osv_audit(program, locks, ROOT / "client/package-lock.json", servers)
    left = osv.remaining(found, osv.allowed_findings(ALLOWANCES, datetime.now(UTC).date()))
    _end("\n".join(str(finding) for finding in left))


def _release(options: argparse.Namespace) -> None:
    # A local import: these need packages, and the verbs that every job starts with must need none.
    from ticketing_ci import release, smoke
    from ticketing_ci.cluster import Cluster

    cluster, names = Cluster(), tuple(IMAGES)
    built = images.digests(options.registry) if options.registry else release.running_images(cluster, names)
    if options.verify_as:
        images.verify(built.values(), options.verify_as)
    text = release.render(ROOT, options.environment, built)

    def try_it() -> None:
        if options.url:
            smoke.read_pages(options.url)
        else:
            smoke.play_demo(cluster, smoke.demo_job(ROOT, built["tools"]))

    release.release(cluster, text, options.revision, try_it)


def _smoke(options: argparse.Namespace) -> None:
    from ticketing_ci import smoke

    smoke.read_pages(options.url)


def _secrets(_: argparse.Namespace) -> None:
    from ticketing_ci import given_secrets
    from ticketing_ci.cluster import Cluster

    changed = given_secrets.apply_given(Cluster(), given_secrets.given(os.environ))
    print(f"Changed: {', '.join(changed) or 'nothing'}")


def _notes(options: argparse.Namespace) -> None:
    version, changelog = options.version.removeprefix("v"), (ROOT / "CHANGELOG.md").read_text()
    _end("\n".join(versions.problems(version, versions.versions(ROOT, PACKAGES), changelog)))
    print(versions.notes(changelog, version))


def _end(trouble: str) -> None:
    if trouble:
        sys.exit(trouble)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ticketing_ci", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="verb")

    def verb(name: str, act: Callable[[argparse.Namespace], None], about: str) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=about)
        made.set_defaults(act=act)
        return made

    for name, act, about in (
        ("changes", _changes, "suites, images and environments that the commits affect"),
        ("commits", _commits, "check the commit messages"),
    ):
        made = verb(name, act, about)
        made.add_argument("--base", default="", help="a commit; all parts if it is omitted or unknown")
        made.add_argument("--head", default="HEAD")
        if name == "commits":
            made.add_argument("--file", type=Path, help="one message, as git passes it to a hook")
    made = verb("last-deployed", _last_deployed, "the commit last deployed to an environment")
    made.add_argument("repository", help="owner/name")
    made.add_argument("environment", choices=tuple(changes.OVERLAYS))
    made = verb("image", _image, "build an image; with a registry, push it")
    made.add_argument("name", choices=tuple(IMAGES))
    made.add_argument("--registry", default="")
    made = verb("tag", _tag, "tag a pushed and signed image with its content")
    made.add_argument("name", choices=tuple(IMAGES))
    made.add_argument("digest")
    made.add_argument("--registry", required=True)
    made = verb("missing", _missing, "images that the registry lacks for this content")
    made.add_argument("--registry", required=True)
    verb("licences", _licences, "packages whose licence is not permitted")
    verb("audit", _audit, "known vulnerabilities in the locks")
    made = verb("release", _release, "deploy an environment to the current cluster, test it, roll back if it fails")
    made.add_argument("environment", choices=tuple(changes.OVERLAYS))
    made.add_argument("--registry", default="", help="deploy the images of this content; without it those that run")
    made.add_argument("--revision", required=True, help="the name of the release")
    made.add_argument("--url", default="", help="read these pages instead of playing the demo, which makes purchases")
    made.add_argument("--verify-as", default="", help="the workflow that must have signed every image")
    made = verb("smoke", _smoke, "read the public pages")
    made.add_argument("--url", required=True)
    made = verb("notes", _notes, "the changelog of a version, if the packages have this version")
    made.add_argument("version")
    verb("secrets", _secrets, "store the keys from the environment in the cluster")
    return parser


def main() -> None:
    """Run the verb; a refusal prints its reason and exits with 1."""
    options = _parser().parse_args()
    try:
        options.act(options)
    except (RuntimeError, ValueError) as refusal:
        sys.exit(f"{type(refusal).__name__}: {refusal}")
    except subprocess.CalledProcessError as failure:
        sys.exit(f"{' '.join(failure.cmd[:4])} …: {failure.stderr or failure.returncode}")


if __name__ == "__main__":
    main()
