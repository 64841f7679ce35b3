"""The two ways from a bundle to an image in a registry that are compared; each returns `repository@sha256:..`."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

DOCKERFILE = "FROM {base}\nCOPY . /opt/ml/model/\nENV SLIPWAY_BUNDLE_DIGEST=sha256:{digest}\n"


def build_daemonless(bundle_folder: Path, repository: str, base_ref: str) -> str:
    """Slipway's own builder: layer, manifest and upload by this process."""
    raise NotImplementedError


def build_with_engine(client: Any, bundle_folder: Path, repository: str, base_ref: str) -> str:
    """What a person would do: `docker build` and `docker push`."""
    digest = hashlib.sha256((bundle_folder / "manifest.json").read_bytes()).hexdigest()
    with tempfile.NamedTemporaryFile("w", suffix=".Dockerfile") as dockerfile:
        dockerfile.write(DOCKERFILE.format(base=base_ref, digest=digest))
        dockerfile.flush()
        image, _ = client.images.build(path=str(bundle_folder), dockerfile=dockerfile.name, tag=repository, rm=True)
    client.images.push(repository, "latest")
    image.reload()
    return next(str(name) for name in image.attrs["RepoDigests"] if name.startswith(f"{repository}@"))
