"""Images of the model server with a bundle inside, pushed to a registry: what container targets are tested with."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path
from typing import Any

from slipway.containers.engine import push_with_engine
from tests.docker_host import engine_hook
from tests.serving_base import ensure_serving_base


def serving_image(
    client: Any, registry: str, bundle: Path, digest: str, *, extra: str = "", login: dict[str, str] | None = None
) -> str:
    """The image of a bundle, as `<registry>/iris@sha256:..`.

    Args:
        client: of the engine.
        registry: its address.
        bundle: the folder.
        digest: what the image says that the bundle's digest is.
        extra: more lines of the Dockerfile.
        login: of the registry, as `registry_login` gives it; None: it asks for none.
    """
    base = ensure_serving_base(client.api)
    dockerfile = f"FROM {base}\nCOPY bundle /opt/ml/model\nENV SLIPWAY_BUNDLE_DIGEST={digest}\n{extra}\n"
    name = f"{registry}/iris"
    tag = hashlib.sha256(dockerfile.encode()).hexdigest()[:16]
    client.images.build(fileobj=_context(dockerfile, bundle), custom_context=True, rm=True, tag=f"{name}:{tag}")
    pushed = push_with_engine(engine_hook(), name, tag, login)
    client.images.remove(f"{name}:{tag}")
    return f"{name}@{pushed}"


def _context(dockerfile: str, bundle: Path) -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(dockerfile)
        archive.addfile(entry, io.BytesIO(dockerfile.encode()))
        archive.add(bundle, "bundle")
    packed.seek(0)
    return packed
