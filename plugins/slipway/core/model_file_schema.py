"""The JSON Schema of a model file, for editors: `python -m slipway.core.model_file_schema` prints it."""

from __future__ import annotations

import json
import sys

from slipway.core.model_file import ModelFile


def schema_text() -> str:
    """The schema as it stands in `dags/models/model_file.schema.json`."""
    return json.dumps(ModelFile.model_json_schema(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
