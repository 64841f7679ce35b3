"""Images of the model server with a bundle inside, pushed to a registry: what container targets are tested with."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from tests.docker_host import PYTHON_IMAGE, require_engine

SERVING = Path(__file__).parents[1] / "serving"
_BASE = "slipway-test-target-base"


def base_image(client: Any) -> str:
    """The model server without a bundle, built once for each content of serving/."""
    require_engine(PYTHON_IMAGE)
    files = sorted(path for path in SERVING.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    read = (str(path.relative_to(SERVING)).encode() + path.read_bytes() for path in files)
    content = hashlib.sha256(b"\0".join(read)).hexdigest()[:16]
    tag = f"{_BASE}:{content}"
    if not client.images.list(tag):
        # Some hosts let their containers out through the host's own network only.
        command = ["docker", "build", "--network", "host", "-q", "-t", tag, str(SERVING)]
        subprocess.run(command, check=True, capture_output=True, timeout=900)
    return tag


def serving_image(client: Any, registry: str, bundle: Path, digest: str, *, extra: str = "") -> str:
    """The image of a bundle, as `<registry>/iris@sha256:..`.

    Args:
        client: of the engine.
        registry: its address; the engine must be able to push to it without a log-in.
        bundle: the folder.
        digest: what the image says that the bundle's digest is.
        extra: more lines of the Dockerfile.
    """
    dockerfile = f"FROM {base_image(client)}\nCOPY bundle /opt/ml/model\nENV SLIPWAY_BUNDLE_DIGEST={digest}\n{extra}\n"
    name = f"{registry}/iris"
    tag = hashlib.sha256(dockerfile.encode()).hexdigest()[:16]
    image, _ = client.images.build(fileobj=_context(dockerfile, bundle), custom_context=True, tag=f"{name}:{tag}")
    for line in client.images.push(name, tag, stream=True, decode=True, auth_config={}):
        assert "error" not in line, line
    image.reload()
    [reference] = [each for each in image.attrs["RepoDigests"] if each.startswith(f"{name}@")]
    client.images.remove(f"{name}:{tag}")
    return str(reference)


def _context(dockerfile: str, bundle: Path) -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(dockerfile)
        archive.addfile(entry, io.BytesIO(dockerfile.encode()))
        archive.add(bundle, "bundle")
    packed.seek(0)
    return packed
