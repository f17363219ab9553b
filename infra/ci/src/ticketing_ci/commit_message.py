"""The rules for a commit message: an imperative subject, an empty line, then the reason."""

import re

LONGEST_SUBJECT = 110
GENERATED = re.compile(r"^(Merge|Revert|fixup!|squash!|amend!) ")
NOT_IMPERATIVE = re.compile(r"^(\w+ing|\w+ed|Fixes|Adds|Removes|Updates|Changes|Makes)\b")
IMPERATIVE_ALL_THE_SAME = {"Bring", "Embed", "Feed", "Need", "Seed", "Shed", "Speed", "Spring", "String"}


def problems(message: str) -> list[str]:
    """The violations, one sentence each."""
    # Git passes its own comments to the hook too, and the whole diff below the scissors line.
    text = message.split("# ------------------------ >8", 1)[0]
    rows = [row for row in text.splitlines() if not row.startswith("#")]
    while rows and not rows[0].strip():
        rows.pop(0)
    if not rows:
        return ["The message is empty."]
    subject, found = rows[0].rstrip(), []
    if GENERATED.match(subject):
        return []
    if len(subject) > LONGEST_SUBJECT:
        found.append(f"The subject has {len(subject)} characters; at most {LONGEST_SUBJECT}.")
    if not subject[:1].isupper():
        found.append("The subject begins with a capital letter, and without a prefix such as `fix:`.")
    if subject.endswith("."):
        found.append("The subject is a title: no full stop.")
    if NOT_IMPERATIVE.match(subject) and subject.split()[0] not in IMPERATIVE_ALL_THE_SAME:
        found.append("The subject is an order: `Add`, not `Added`, `Adding` or `Adds`.")
    if len(rows) > 1 and rows[1].strip():
        found.append("An empty line stands between the subject and the rest.")
    return found
