"""The image: how quickly it is built without an engine, how small it is, how soon it answers.

`make bench ONLY=image`; needs a Docker engine (.ci/engine), the images of .ci/images, docker-registry, and PyPI.

- `image.daemonless_ratio`: a bundle becomes an image in a registry, by our own builder and by the engine's build and push.
  Base and registry are warm for both, the bundle is new to both in each round, and they take turns in going first.
- `image.size_vs_peers`: what the image of a forest of 100 trees adds to its base, over the smaller of what BentoML's and
  MLServer's own tools add for the same pipeline. See `peers.py` for what they are spared.
- `image.start_to_ready_seconds`: from asking the engine for a container to the first 200 of `/v2/health/ready`, page cache
  warm, nothing writable, as a rollout starts it.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.image.builders import build_with_engine
from tests.benchmarks.image.peers import added_mb, peer_megabytes
from tests.benchmarks.image.rounds import build_seconds, new_bundle
from tests.benchmarks.image.starts import start_seconds
from tests.benchmarks.serving.bundles import make_model
from tests.docker_host import PYTHON_IMAGE, registry, require_engine
from tests.serving_base import ensure_serving_base

FOLDER = Path(__file__).parents[3] / "build" / "bench-image"
MODEL = "forest"

Progress = Callable[[str], None]


def run(progress: Progress) -> dict[str, float]:
    """All three figures, and what they are made of."""
    client = require_engine(PYTHON_IMAGE)
    model = make_model(MODEL, FOLDER / "bundles" / MODEL)
    progress("the server's image")
    server = ensure_serving_base(client.api)
    with tempfile.TemporaryDirectory(prefix="slipway-bench-image-") as name, registry(Path(name) / "registry") as found:
        base = push_base(client, server, f"{found.address}/model-server")
        figures = building(client, model.bundle, Path(name), found.address, base, progress)
        bundle, digest = new_bundle(model.bundle, Path(name) / "served", "served")
        image = build_with_engine(bundle, f"{found.address}/served", base)
        try:
            figures |= starting(client, image, digest, progress)
            figures |= sizes(client, image, model.given / "model.joblib", progress)
        finally:
            client.images.remove(client.images.get(image).id, force=True)
            client.images.remove(f"{found.address}/model-server:base", force=True)
    return figures


def push_base(client: Any, server: str, repository: str) -> str:
    """The server's image in the registry, as both builders' base; returns it by digest."""
    image = client.images.get(server)
    image.tag(repository, "base")
    client.images.push(repository, "base")
    image.reload()
    return next(str(each) for each in image.attrs["RepoDigests"] if each.startswith(f"{repository}@"))


def building(client: Any, bundle: Path, folder: Path, address: str, base: str, progress: Progress) -> dict[str, float]:
    """The ratio of the medians, and both medians in seconds."""
    seconds = build_seconds(client, bundle, folder, address, base, progress)
    ours, engine = (statistics.median(seconds[kind]) for kind in ("daemonless", "engine"))
    return {
        "image.daemonless_ratio": ours / engine,
        "image.daemonless_seconds": ours,
        "image.engine_seconds": engine,
    }


def starting(client: Any, image: str, digest: str, progress: Progress) -> dict[str, float]:
    """Medians: until ready, and until the engine says that the container runs, which is not ours to improve."""
    starts = start_seconds(client, image, digest, progress)
    return {
        "image.start_to_ready_seconds": statistics.median(ready for _, ready in starts),
        "image.start_to_running_seconds": statistics.median(running for running, _ in starts),
    }


def sizes(client: Any, image: str, pipeline: Path, progress: Progress) -> dict[str, float]:
    """Megabytes (10^6 bytes) over the base, as the engine counts them, and ours over the smallest peer's."""
    ours = added_mb(client, image, PYTHON_IMAGE)
    peers = peer_megabytes(client, pipeline, FOLDER, progress)
    for name, megabytes in {"slipway": ours, **peers}.items():
        progress(f"{name}: {megabytes:.0f} MB over its base")
    return {
        "image.size_vs_peers": ours / min(peers.values()),
        "image.megabytes": ours,
        **{f"image.{name}_megabytes": megabytes for name, megabytes in peers.items()},
    }
