"""Lays the example datasets where the shipped model files look for them: the bucket `inbox` of the stand-in cloud."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from slipway.local import flights, iris

DATASETS: dict[str, Callable[[], Iterator[tuple[str, bytes]]]] = {"iris": iris.files, "flights": flights.files}
BUCKETS = ("inbox", "slipway")


def lay(model: str, connection: str) -> int:
    """Put the model's files into the inbox, once; returns how many were written now.

    Args:
        model: a name in DATASETS; another model brings its own data, and nothing is laid.
        connection: the stand-in cloud's Airflow connection, as JSON.
    """
    client = _client(connection)
    present = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
    for bucket in set(BUCKETS) - present:
        client.create_bucket(Bucket=bucket)
    if model not in DATASETS or _is_laid(client, model):
        return 0
    files = list(DATASETS[model]())
    for name, data in files:
        client.put_object(Bucket="inbox", Key=name, Body=data)
    client.put_object(Bucket="inbox", Key=f"{model}/.laid", Body=b"")
    return len(files)


def _is_laid(client: Any, model: str) -> bool:
    return bool(client.list_objects_v2(Bucket="inbox", Prefix=f"{model}/.laid").get("KeyCount"))


def _client(connection: str) -> Any:
    import boto3

    settings = json.loads(connection)
    return boto3.client(
        "s3",
        endpoint_url=settings["extra"]["endpoint_url"],
        region_name=settings["extra"]["region_name"],
        aws_access_key_id=settings["login"],
        aws_secret_access_key=settings["password"],
    )
