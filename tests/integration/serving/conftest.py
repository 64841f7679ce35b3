"""Running servers, each on a bundle and a port of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bundle_maker import make_bundle
from tests.server_process import ServerProcess, listen

Start = Callable[..., ServerProcess]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start servers that live as long as the test module: `start(option, .., runtime=, bundle=, workers=)`."""
    running: list[ServerProcess] = []

    def begin(
        *options: str, runtime: str = "onnx", bundle: tuple[Path, str] | None = None, workers: int = 2
    ) -> ServerProcess:
        folder = tmp_path_factory.mktemp("server")
        if bundle is None:
            bundle = folder / "bundle", make_bundle(folder / "bundle", runtime=runtime)
        with listen() as listener:
            running.append(ServerProcess(folder, *bundle, *options, workers=workers, listener=listener))
        return running[-1].wait_until_ready()

    yield begin
    for server in running:
        server.stop()
