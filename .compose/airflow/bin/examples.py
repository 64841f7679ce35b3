"""Lays the data of the example models into the stand-in cloud, once; a file that is there is left alone."""

from __future__ import annotations

import json
import sys

from slipway.local import landing

CLOUD = "http://cloud:5555"


def main() -> None:
    """All of it; iris, which is one small file, comes first."""
    extra = {"region_name": "us-east-1", "endpoint_url": CLOUD}
    connection = json.dumps({"conn_type": "aws", "login": "stand-in", "password": "stand-in", "extra": extra})
    for model in landing.DATASETS:
        sys.stdout.write(f"laid {landing.lay(model, connection)} files of {model} into s3://inbox\n")


if __name__ == "__main__":
    main()
