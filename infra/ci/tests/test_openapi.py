"""The client's types are made from docs/openapi, which must match the services."""

from pathlib import Path

import pytest

from ticketing_ci.openapi import openapi_documents

pytestmark = pytest.mark.unit

DOCUMENTS = Path(__file__).parents[3] / "docs" / "openapi"


def test_the_openapi_documents_are_those_of_the_services() -> None:
    there = {file.name: file.read_text() for file in DOCUMENTS.glob("*.json")}
    assert there == openapi_documents(), "run `make docs`"
