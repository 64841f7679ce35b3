"""Real model servers as the pods of a version, whose model does what a test asks of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cloudpickle
import joblib
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from slipway.core.errors import UnavailableError
from slipway.verification.pods import Pod
from tests.bundle_maker import make_bundle, write_manifest
from tests.server_process import Answer, ServerProcess, listen

FINE, FAULTY, SLOW = [5.1, 3.5, 1.4, 0.2], [500.0, 3.5, 1.4, 0.2], [99.0, 3.5, 1.4, 0.2]
SLOW_SECONDS = 0.3


def make_moody_bundle(folder: Path, drift: Path) -> str:
    """A bundle that raises at `FAULTY`, takes its time at `SLOW`, and answers all rows wrongly once `drift` exists."""
    make_bundle(folder, runtime="joblib")
    fitted = joblib.load(folder / "model.joblib").named_steps["model"]
    file, seconds = str(drift), SLOW_SECONDS

    def mood(rows: Any) -> Any:  # pickled by value: the server cannot import this file
        import pathlib
        import time

        first = rows.iloc[0, 0]
        if first == 500:
            raise RuntimeError("the model cannot")
        if first == 99:
            time.sleep(seconds)
        return rows.iloc[::-1] if pathlib.Path(file).exists() else rows

    pipeline = Pipeline([("mood", FunctionTransformer(mood)), ("model", fitted)])
    (folder / "model.joblib").write_bytes(cloudpickle.dumps(pipeline))
    return write_manifest(folder)


class ServerPod:
    """One pod: a model server that can be ended and begun again at the same address."""

    def __init__(self, name: str, folder: Path, bundle: Path, digest: str, *options: str) -> None:
        self.pod = Pod(name)
        self._listener, self._given = listen(), (folder / name, bundle, digest, *(options or ("--open",)))
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def start(self) -> None:
        self.server = ServerProcess(*self._given, workers=1, listener=self._listener).wait_until_ready()

    def ask(self, row: list[float] = FINE, times: int = 1) -> list[Answer]:
        return [self.server.ask(json.dumps({"features": row}).encode()) for _ in range(times)]

    def restart(self, ended: str) -> None:
        """As the kubelet does when the container's process died."""
        self.server.process.kill()
        self.server.process.wait()
        self.start()
        self.pod = replace(self.pod, restarts=self.pod.restarts + 1, ended=ended)

    def stop(self) -> None:
        self.server.stop()
        self._listener.close()


class ServerPods:
    """What the cluster says about them. Those in `gone` go when somebody wants to ask them; `silent` ones stay listed."""

    def __init__(self, *pods: ServerPod) -> None:
        self.given, self.gone, self.unready, self.silent = list(pods), set[str](), set[str](), set[str]()

    def pods(self) -> list[Pod]:
        return [replace(each.pod, ready=each.pod.name not in self.unready) for each in self.given]

    @contextmanager
    def opened(self, name: str) -> Iterator[str]:
        if name in self.gone:
            self.unready.add(name)
            raise UnavailableError("could not reach the pod", on=name, why="it is gone", fix="Try again.")
        here = next(each.url for each in self.given if each.pod.name == name)
        yield "http://127.0.0.1:9" if name in self.silent else here
