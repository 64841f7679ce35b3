"""Images that are made of the serving base for one test, and looks into them."""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any


@contextlib.contextmanager
def image_of(client: Any, dockerfile: str) -> Iterator[str]:
    """An image of a Dockerfile without files beside it; removed in the end."""
    name = f"slipway-test-{uuid.uuid4().hex}"
    client.images.build(tag=name, rm=True, forcerm=True, fileobj=io.BytesIO(dockerfile.encode()))
    try:
        yield name
    finally:
        client.images.remove(name)


@contextlib.contextmanager
def saved_layers(client: Any, name: str) -> Iterator[Iterator[IO[bytes]]]:
    """The layers of an image, the bottom one first, out of `docker save`."""
    with TemporaryFile() as file:
        for chunk in client.images.get(name).save(chunk_size=1 << 20):
            file.write(chunk)
        file.seek(0)
        with tarfile.open(fileobj=file) as archive:
            manifest = json.load(_member(archive, "manifest.json"))
            yield (_member(archive, layer) for layer in manifest[0]["Layers"])


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    member = archive.extractfile(name)
    assert member is not None
    return member


class Inside:
    """A look from inside: programs run in a container of an image, as root, with this environment's pip at /outside."""

    def __init__(self, client: Any, name: str) -> None:
        self._client, self._name = client, name

    def run(self, *command: str) -> list[str]:
        """The lines it prints."""
        container = self._client.containers.create(
            self._name,
            list(command[1:]),
            entrypoint=[command[0]],
            user="0",
            network_mode="none",
            environment={"PYTHONPATH": "/outside"},
        )
        try:
            container.put_archive("/", _pip_alone())
            container.start()
            code = container.wait(timeout=120)["StatusCode"]
            output = container.logs(stdout=True, stderr=False).decode()
            assert code == 0, container.logs(stdout=False, stderr=True).decode()
        finally:
            container.remove(force=True)
        return output.splitlines()


def _pip_alone() -> bytes:
    """pip without its dist-info, so that it does not list itself."""
    import pip

    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.add(Path(pip.__file__).parent, "outside/pip")
    return stream.getvalue()
