"""Which jobs a change asks for: changed paths in, names of suites, images and environments out."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from ticketing_ci.git import changed_paths
from ticketing_ci.parts import EVERYTHING, IMAGES, RULES, Effect, Rule

__all__ = ["Plan", "lines", "plan", "plan_since"]

BASE = ("infra/k8s/",)
OVERLAYS = {"dev": (*BASE, "infra/k8s-dev/"), "prod": (*BASE, "infra/k8s-prod/")}


@dataclass(frozen=True)
class Plan:
    """The answer, in the order in which the workflow asks for it."""

    effect: Effect
    images: tuple[str, ...]
    deploy: tuple[str, ...]


def plan(paths: Iterable[str] | None) -> Plan:
    """What these paths ask for; None stands for "not known", which asks for everything."""
    if paths is None:
        return Plan(EVERYTHING, tuple(IMAGES), tuple(OVERLAYS))
    changed = sorted(set(paths))
    effect = Effect()
    for path in changed:
        found = [rule.effect for rule in RULES if rule.matches(path)]
        # The first rule that knows a path decides, so docs/events is not taken for mere prose.
        effect |= found[0] if found else EVERYTHING
    images = tuple(name for name, image in IMAGES.items() if _touched(changed, image.inputs))
    # An image goes to development; production gets images by a release only, so a manifest is all that counts there.
    deploy = tuple(
        environment
        for environment, prefixes in OVERLAYS.items()
        if _touched(changed, prefixes) or (environment == "dev" and images)
    )
    return Plan(effect, images, deploy)


def plan_since(base: str, head: str) -> Plan:
    """What the commits between the two ask for; everything, when the base is empty or not in this clone."""
    return plan(changed_paths(base, head))


def lines(found: Plan) -> list[str]:
    """`name=value`, the form that a GitHub job's outputs have."""
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
