"""What the peers' own tools make of the same fitted pipeline: an image each, from the Dockerfile that they generate.

Each is given its leanest form, and spared what a real one has besides:

- BentoML without the compiler and git that it installs by default (`distro` is none that it knows), without pandas;
- MLServer counted over a bare Python, on a stand-in for its `-slim` image that holds the package `mlserver` and nothing else:
  the real one is made of UBI and conda. Its builder stage, which makes conda environments, has none to make.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.serving.environments import ensure_environment

HERE = Path(__file__).parent
SERVED = HERE.parent / "serving" / "peers"
BASE = "python:3.11-slim"
MLSERVER = "1.7.1"
STAND_INS = {
    BASE: "python.Dockerfile",
    f"seldonio/mlserver:{MLSERVER}-slim": "mlserver.Dockerfile",
    "continuumio/miniconda3:24.4.0-0": "miniconda.Dockerfile",
}
NOT_NEEDED = ("pandas==", "tzdata==")  # by BentoML itself, or by a pipeline that takes arrays


def peer_megabytes(client: Any, pipeline: Path, folder: Path, progress: Callable[[str], None]) -> dict[str, float]:
    """Megabytes over the base by peer; the images are kept, as an engine's cache for the next run."""
    for image, dockerfile in STAND_INS.items():
        _ensure_stand_in(client, image, dockerfile, progress)
    made = {}
    for name, build in (("bentoml", _build_bentoml), ("mlserver", _build_mlserver)):
        environment = ensure_environment(folder / "env" / name, SERVED / f"{name}.txt", progress)
        work = folder / name
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        progress(f"{name}: its own tool's image")
        made[name] = added_mb(client, build(environment / "bin", work, pipeline), BASE)
    return made


def added_mb(client: Any, image: str, base: str) -> float:
    """Megabytes (10^6 bytes) of the layers that `image` has over `base`."""
    sizes = [client.images.get(name).attrs["Size"] for name in (image, base)]
    return float(sizes[0] - sizes[1]) / 1e6


def _build_bentoml(programs: Path, work: Path, pipeline: Path) -> str:
    shutil.copy(pipeline, work / "model.joblib")
    shutil.copy(HERE / "peers" / "service.py", work)
    pinned = (SERVED / "bentoml.txt").read_text().splitlines(keepends=True)
    (work / "requirements.txt").write_text("".join(line for line in pinned if not line.startswith(NOT_NEEDED)))
    (work / "bentofile.yaml").write_text(
        'service: "service:Predictor"\ninclude: [service.py, model.joblib, requirements.txt]\n'
    )
    home = work / "home"
    _run(programs, work, "bentoml", "build", BENTOML_HOME=str(home), BENTOML_DO_NOT_TRACK="true")
    (context,) = (path.parent for path in home.glob("bentos/*/*/bento.yaml"))
    return _docker_build(context, context / "env" / "docker" / "Dockerfile", "slipway-bench/bentoml")


def _build_mlserver(programs: Path, work: Path, pipeline: Path) -> str:
    shutil.copy(pipeline, work / "model.joblib")
    shutil.copy(HERE / "peers" / "model-settings.json", work)
    shutil.copy(SERVED / "mlserver.txt", work / "requirements.txt")
    _run(programs, work, "mlserver", "dockerfile", ".")
    return _docker_build(work, work / "Dockerfile", "slipway-bench/mlserver")


def _ensure_stand_in(client: Any, image: str, dockerfile: str, progress: Callable[[str], None]) -> None:
    """The image of that name; one that is there, real or not, is used as it is."""
    if not client.images.list(name=image):
        progress(f"a stand-in for {image}")
        _docker_build(HERE.parent, HERE / "peers" / dockerfile, image)


def _docker_build(context: Path, dockerfile: Path, name: str) -> str:
    """By BuildKit, which MLServer's Dockerfile needs; Debian's own `docker` has it, a newer one only with a plug-in."""
    program = "/usr/bin/docker" if Path("/usr/bin/docker").exists() else "docker"
    command = [program, "build", "-q", "--network", "host", "-t", name, "-f", str(dockerfile), str(context)]
    _checked(command, context, {"DOCKER_BUILDKIT": "1"})
    return name


def _run(programs: Path, work: Path, name: str, *arguments: str, **environment: str) -> None:
    # BentoML looks for uv on the path; ours is beside this Python.
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
    _checked([str(programs / name), *arguments], work, environment | {"PATH": path})


def _checked(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=900
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {(done.stdout + done.stderr)[-3000:]}")
