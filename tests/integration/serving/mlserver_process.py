"""A real MLServer around a bundle's pickle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.serving.served import free_port, running
from tests.parts import require_environment

REQUIREMENTS = Path(__file__).parent / "mlserver.txt"


@contextmanager
def mlserver(folder: Path, bundle: Path, name: str) -> Iterator[str]:
    """Serve ``model.joblib`` of `bundle` as `name`; yields host:port. `folder` is for its settings and its log."""
    programs = require_environment(REQUIREMENTS)
    ports = {kind: free_port() for kind in ("http_port", "grpc_port", "metrics_port")}
    settings = {"host": "127.0.0.1", "parallel_workers": 0, "debug": False, **ports}
    model = {"uri": str(bundle / "model.joblib"), "version": "1"}
    implementation = {"name": name, "implementation": "mlserver_sklearn.SKLearnModel", "parameters": model}
    folder.mkdir()
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "model-settings.json").write_text(json.dumps(implementation))
    log = folder / "log"
    command = [str(programs / "mlserver"), "start", str(folder)]
    with running(command, f"127.0.0.1:{ports['http_port']}", log, folder) as address:
        yield address
