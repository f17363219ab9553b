"""Checks that two versions of an event schema are compatible in both directions."""

from typing import Any


def incompatibilities(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The differences of the JSON Schema `after` that break consumers of `before`, or that reject its events.

    A new optional field is compatible. Removing, renaming or retyping a field breaks older consumers; a new required
    field is missing in older events, which are still in the stream.
    """
    return _compare(before, before, after, after, "")


def _compare(
    before_root: dict[str, Any], before: dict[str, Any], after_root: dict[str, Any], after: dict[str, Any], path: str
) -> list[str]:
    before, after = _resolve(before_root, before), _resolve(after_root, after)
    found: list[str] = []
    old, new = before.get("properties", {}), after.get("properties", {})
    for name, schema in old.items():
        where = f"{path}{name}"
        if name not in new:
            found.append(f"{where}: gone")
            continue
        if _types(before_root, schema) != _types(after_root, new[name]):
            found.append(f"{where}: retyped")
            continue
        gone = _members(before_root, schema) - _members(after_root, new[name])
        found += [f"{where}: {member} gone" for member in sorted(gone)]
        found += _compare(before_root, schema, after_root, new[name], f"{where}.")
    for name in set(after.get("required", ())) - set(before.get("required", ())):
        if name not in old:
            found.append(f"{path}{name}: new and required")
    return found


def _resolve(root: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    return root["$defs"][reference.rpartition("/")[2]] if reference else schema


def _types(root: dict[str, Any], schema: dict[str, Any]) -> set[tuple[str, ...]]:
    """The allowed types of a value."""
    schema = _resolve(root, schema)
    if "anyOf" in schema:
        return set().union(*(_types(root, one) for one in schema["anyOf"]))
    return {(str(schema.get("type")), str(schema.get("format", "")))}


def _members(root: dict[str, Any], schema: dict[str, Any]) -> set[str]:
    """The members of an enumeration, which may only gain members.

    An older consumer does not know a new member, so only events that it does not subscribe to may contain it.
    """
    schema = _resolve(root, schema)
    if "anyOf" in schema:
        return set().union(*(_members(root, one) for one in schema["anyOf"]))
    return set(map(str, schema.get("enum", ())))
