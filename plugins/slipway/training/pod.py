"""`python -m slipway.training.pod train|evaluate <job>`: what runs in the pod; `pod_operators.py` starts it.

The job is told in the arguments. The log-in to the store comes from the environment, as Airflow's connections may:
AIRFLOW_CONN_AWS_DEFAULT and the like, of a Secret, or of the pod's own identity where there is none. What became of the job
goes into the container's termination message; what happens on the way, to the log.

Exit status: 0 done, 1 the message says why not, 2 the arguments are no job; any other failure has a traceback in the log.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from slipway.core.errors import SlipwayError
from slipway.storage.object_store import ObjectStore, open_store
from slipway.training.pod_job import PodJob
from slipway.training.pod_outcome import MESSAGE_PATH, error_message, result_message

log = logging.getLogger("slipway.training.pod")


def do_job(job: PodJob) -> dict[str, Any]:
    """The stage's own result, exactly as in a worker.

    Raises:
        SlipwayError: as `train` and `evaluate` do.
    """
    store = open_files(job)
    with TemporaryDirectory(prefix=f"slipway-{job.stage}-") as folder:
        if job.stage == "train":
            from slipway.training.training import train

            return train(job.training_job, store, Path(folder))
        from slipway.training.evaluation import evaluate

        return evaluate(job.training_job, job.fit or {}, store, Path(folder))


def open_files(job: PodJob) -> ObjectStore:
    """The store, below ``<store>/<model>/``. Raises ConfigurationError: unknown scheme."""
    return open_store(f"{job.store.rstrip('/')}/{job.model}", job.store_conn_id)


def main(arguments: list[str], message_path: Path) -> int:
    """Do the job that `arguments` name, and leave its outcome at `message_path`; returns the exit status."""
    try:
        job = PodJob.from_arguments(arguments)
    except ValueError as error:
        log.error("this image's Slipway does not understand its job: %s", error)
        return 2
    try:
        message_path.write_bytes(result_message(do_job(job), lambda: open_files(job)))
    except SlipwayError as error:
        log.exception("%s", error)
        message_path.write_bytes(error_message(error))
        return 1
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stdout)
    # The first process of a container gets no signal that it does not ask for: it would be killed, 30 seconds later.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main(sys.argv[1:], Path(os.environ.get("SLIPWAY_TERMINATION_MESSAGE", MESSAGE_PATH))))
