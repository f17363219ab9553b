"""The event catalogue as documents: a JSON Schema per event and one AsyncAPI 3 description, made from the models."""

import json
import sys
from pathlib import Path
from typing import Any

from ticketing_common.topology import OWNERS

from .catalogue import CATALOGUE


def event_schema(name: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of one event's body as it is written to the bus."""
    event = CATALOGUE[name]
    schema = event.model_json_schema(mode="serialization")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = event.event_type()
    schema["properties"]["type"]["const"] = event.event_type()
    return schema


def asyncapi() -> dict[str, Any]:
    """The channels, messages and senders, in AsyncAPI 3.0.0 (https://www.asyncapi.com/docs/reference/specification/v3.0.0)."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    for name, event in CATALOGUE.items():
        noun = name.partition(".")[0]
        stream, owner = next((stream, owner) for stream, owner in OWNERS.items() if owner.noun == noun)
        messages[name] = {
            "name": event.event_type(),
            "title": name,
            "summary": (event.__doc__ or "").strip().splitlines()[0],
            "contentType": "application/cloudevents+json",
            "payload": {
                "schemaFormat": "application/schema+json;version=draft-2020-12",
                "schema": {"$ref": f"./{name}.schema.json"},
            },
        }
        channels[name] = {
            "address": f"{name}.{{id}}",
            "description": f"Kept in the stream {stream}.",
            "parameters": {"id": {"description": "The aggregate's id, 24 hex digits."}},
            "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        }
        operations[f"send {name}"] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{name}"},
            "summary": f"By the {owner.name} service's relay, from its outbox.",
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Ticketing events",
            "version": "1",
            "description": "Every event carries the full public state of its aggregate and its version.",
        },
        "defaultContentType": "application/cloudevents+json",
        "servers": {"nats": {"host": "nats:4222", "protocol": "nats", "description": "JetStream"}},
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def documents() -> dict[str, str]:
    """File name → content of the files in docs/events."""
    files = {f"{name}.schema.json": event_schema(name) for name in CATALOGUE}
    files["asyncapi.json"] = asyncapi()
    return {name: json.dumps(content, indent=2) + "\n" for name, content in files.items()}


if __name__ == "__main__":
    for file_name, text in documents().items():
        Path(sys.argv[1], file_name).write_text(text)
