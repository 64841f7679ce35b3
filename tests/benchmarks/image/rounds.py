"""Both builders by turns, each round with a bundle that nobody has seen."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.image.builders import build_daemonless, build_with_engine
from tests.bundle_maker import write_manifest

ROUNDS = 7


def build_seconds(
    client: Any, source: Path, folder: Path, address: str, base: str, progress: Callable[[str], None]
) -> dict[str, list[float]]:
    """Seconds of each round, after one in which both mount the base's layers into their repository."""
    seconds: dict[str, list[float]] = {"daemonless": [], "engine": []}
    for number in range(ROUNDS + 1):
        kinds = ("daemonless", "engine") if number % 2 else ("engine", "daemonless")
        for kind in kinds:
            bundle, _ = new_bundle(source, folder / f"{kind}-{number}", f"{kind} {number}")
            took = _timed_build(kind, client, bundle, f"{address}/{kind}", base)
            shutil.rmtree(bundle)
            progress(f"round {number}{' (warm-up)' if number == 0 else ''}: {kind} {took:.2f} s")
            if number:
                seconds[kind].append(took)
    return seconds


def new_bundle(source: Path, folder: Path, name: str) -> tuple[Path, str]:
    """A copy that predicts the same under another digest; returns the folder and that digest."""
    shutil.copytree(source, folder)
    report = folder / "report.html"
    report.write_text(f"{report.read_text()}\n<!-- {name} -->\n")
    digest = write_manifest(folder)
    for path in (folder, *folder.iterdir()):
        path.chmod(
            0o755 if path.is_dir() else 0o644
        )  # `docker build` keeps the modes, and the image's user is not this one
    return folder, digest


def _timed_build(kind: str, client: Any, bundle: Path, repository: str, base: str) -> float:
    began = time.perf_counter()
    build = build_daemonless if kind == "daemonless" else build_with_engine
    image = build(bundle, repository, base)
    took = time.perf_counter() - began
    assert image.startswith(f"{repository}@sha256:"), image
    if kind == "engine":
        client.images.remove(client.images.get(image).id, force=True)
    return took
