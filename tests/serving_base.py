"""The serving base as an image in the engine, built once and found again by later tests and runs."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from slipway.containers.engine import build_with_engine
from slipway.image.build_context import base_context, serving_id
from tests.docker_host import engine_hook

SERVING = Path(__file__).parents[1] / "serving"


def ensure_serving_base(client: Any, runtime: str = "onnx") -> str:
    """The name of the base in the engine, ``slipway-test-serving:<runtime>-<id>``.

    Args:
        client: `docker.APIClient`.
        runtime: ``onnx`` or ``joblib``.
    """
    import docker.errors

    build_args = {"RUNTIME": runtime}
    name = f"slipway-test-serving:{runtime}-{serving_id(SERVING, build_args)[:16]}"
    try:
        client.inspect_image(name)
    except docker.errors.ImageNotFound:
        with base_context(SERVING) as context:
            build_with_engine(engine_hook(), context, name=name, build_args=build_args, log=logging.getLogger().info)
    return name
