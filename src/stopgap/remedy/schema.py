"""The format as JSON Schema, for editors. Generated: docs/reference/remedy.schema.json is this and nothing else."""

import json
from typing import Any

from stopgap.remedy.models import Remedy


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a remedy file. What holds between keys is in rules.py, not in here."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Remedy.model_json_schema(by_alias=True)


def as_text() -> str:
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
