"""The container `serving`: the models that were served are served again, then a Celery worker takes rollouts.

Beside that it tells Prometheus where they are. On SIGTERM the worker finishes its tasks, then each model what it accepted.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType

import psutil

from slipway.core.errors import SlipwayError
from slipway.rollout.process.listening import Listening
from slipway.rollout.process.target import ProcessTarget

SERVED = Path(os.environ["SLIPWAY_HOME"]) / "serving"
SCRAPE = Path("/opt/airflow/scrape")
WORKER = ("airflow", "celery", "worker", "--queues", "serving")
LOOK_SECONDS = 2

log = logging.getLogger("serve")


def main() -> int:
    """Serve until told to end; ends with the worker, whose end the engine answers with a new start."""
    for folder in endpoints():
        resume(folder)
    worker = subprocess.Popen(WORKER)  # noqa: S603  the constant above

    def end(_number: int, _frame: FrameType | None) -> None:
        worker.terminate()

    signal.signal(signal.SIGTERM, end)
    while worker.poll() is None:
        tell_prometheus(SCRAPE)
        time.sleep(LOOK_SECONDS)
    pause_all()
    return worker.returncode


def endpoints() -> list[Path]:
    """The state folders of all models that were ever served here."""
    return sorted(SERVED.glob("*/"))


def resume(folder: Path) -> None:
    """Serve a model again; one that cannot be must not keep the others down."""
    try:
        if ProcessTarget(folder, Listening.from_environment(os.environ)).resume():
            log.info("%s is served again", folder.name)
    except (SlipwayError, OSError) as error:
        log.error("%s is not served again: %s", folder.name, error)


def pause_all() -> None:
    """End all models at the same time: one after the other, the last would not be asked before this container is killed."""
    with ThreadPoolExecutor(max_workers=64) as pool:
        list(pool.map(pause, endpoints()))


def pause(folder: Path) -> None:
    """End a model; one that cannot be must not keep the others from ending well."""
    try:
        ProcessTarget(folder).pause()
    except (OSError, psutil.Error) as error:
        log.error("%s was not ended: %s", folder.name, error)


def tell_prometheus(scrape: Path) -> None:
    """Write down where the models are, and the key to ask them; a full disk is no reason to end what is served."""
    try:
        replace(scrape / "api_key", os.environ["SLIPWAY_API_KEY"])
        replace(scrape / "served.json", json.dumps(scrape_targets()))
    except OSError as error:
        log.error("Prometheus is not told what is served, which goes on: %s", error)


def scrape_targets() -> list[dict[str, object]]:
    """What is in service, as Prometheus reads it from a file."""
    found = ((folder.name, ProcessTarget(folder).find_active()) for folder in endpoints())
    return [
        {"targets": [f"serving:{active.endpoint.rpartition(':')[2]}"], "labels": {"model": model}}
        for model, active in found
        if active
    ]


def replace(path: Path, text: str) -> None:
    """Write a file unless it says so already; a reader sees the old or the new one."""
    if path.exists() and path.read_text() == text:
        return
    part = path.with_suffix(".part")
    part.write_text(text)
    part.replace(path)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    sys.exit(main())
