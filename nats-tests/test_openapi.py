"""The published HTTP contract: the documents that the client's types are made from are those of the services."""

from pathlib import Path

import pytest
from openapi_documents import openapi_documents

pytestmark = pytest.mark.unit

DOCUMENTS = Path(__file__).parents[1] / "docs" / "openapi"


def test_the_openapi_documents_are_those_of_the_services() -> None:
    there = {file.name: file.read_text() for file in DOCUMENTS.glob("*.json")}
    assert there == openapi_documents(), "run `make docs`"
