"""Which jobs a change needs: maps changed paths to suites, images and environments."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from ticketing_ci.git import changed_paths
from ticketing_ci.parts import EVERYTHING, IMAGES, RULES, Effect, Rule

BASE = ("infra/k8s/",)
OVERLAYS = {"dev": (*BASE, "infra/k8s-dev/"), "prod": (*BASE, "infra/k8s-prod/")}


@dataclass(frozen=True)
class Plan:
    """The result, in the order of the workflow's outputs."""

    effect: Effect
    images: tuple[str, ...]
    deploy: tuple[str, ...]


def plan(paths: Iterable[str] | None) -> Plan:
    """The plan for these paths; None means unknown paths, which need everything."""
    if paths is None:
        return Plan(EVERYTHING, tuple(IMAGES), tuple(OVERLAYS))
    changed = sorted(set(paths))
    effect = Effect()
    for path in changed:
        found = [rule.effect for rule in RULES if rule.matches(path)]
        # The first matching rule decides, so docs/events is not treated as prose.
        effect |= found[0] if found else EVERYTHING
    images = tuple(name for name, image in IMAGES.items() if _touched(changed, image.inputs))
    # An image is deployed to development; production gets images by a release only, so only manifests count there.
    deploy = tuple(
        environment
        for environment, prefixes in OVERLAYS.items()
        if _touched(changed, prefixes) or (environment == "dev" and images)
    )
    return Plan(effect, images, deploy)


def plan_since(base: str, head: str) -> Plan:
    """The plan for the commits between the two; everything if the base is empty or not in this clone."""
    return plan(changed_paths(base, head))


def lines(found: Plan) -> list[str]:
    """Lines `name=value`, the form of a GitHub job's outputs."""
    suites = [suite for suite in sorted(EVERYTHING.suites) if suite in found.effect.suites]
    values: dict[str, object] = {
        "suites": suites,
        "client": found.effect.client,
        "product": found.effect.product,
        "manifests": found.effect.manifests,
        "images": list(found.images),
        "deploy": list(found.deploy),
    }
    return [f"{name}={json.dumps(value)}" for name, value in values.items()]


def _touched(paths: Iterable[str], prefixes: tuple[str, ...]) -> bool:
    rule = Rule(prefixes, Effect())
    return any(rule.matches(path) for path in paths)
