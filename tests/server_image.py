"""The model server's image, as serving/Dockerfile makes it: built once, then found by the engine's own cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SERVING = Path(__file__).parents[1] / "serving"


def server_image(client: Any, runtime: str = "onnx") -> str:
    """Build it; returns its name. `runtime` is "onnx" or "joblib"."""
    name = f"slipway-test/model-server:{runtime}"
    client.api.timeout = 600  # the engine says nothing while a step downloads
    client.images.build(path=str(SERVING), tag=name, buildargs={"RUNTIME": runtime}, rm=True)
    return name
