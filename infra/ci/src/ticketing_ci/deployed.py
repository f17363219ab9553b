"""The commit last deployed to an environment: all later commits have to be tested before the next deployment.

The commit before a push is not sufficient: if the tests of one push failed, the next push would deploy it untested.
"""

import json
import subprocess
from collections.abc import Mapping
from typing import Any

QUERY = """
query($owner: String!, $name: String!, $environment: String!) {
  repository(owner: $owner, name: $name) {
    deployments(environments: [$environment], first: 50, orderBy: {field: CREATED_AT, direction: DESC}) {
      nodes { commitOid latestStatus { state } }
    }
  }
}
"""
# A later success makes an earlier one inactive.
SUCCEEDED = ("SUCCESS", "INACTIVE")


def last_success(answer: Mapping[str, Any]) -> str:
    """The commit of the newest successful deployment, or "" if there is none."""
    for node in answer["data"]["repository"]["deployments"]["nodes"]:
        if (node["latestStatus"] or {}).get("state") in SUCCEEDED:
            return str(node["commitOid"])
    return ""


def last_deployed(repository: str, environment: str) -> str:
    """Query GitHub with its command line tool; raises `subprocess.CalledProcessError`."""
    owner, name = repository.split("/")
    fields = ["-f", f"owner={owner}", "-f", f"name={name}", "-f", f"environment={environment}"]
    command = ["gh", "api", "graphql", "-f", f"query={QUERY}", *fields]
    return last_success(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
