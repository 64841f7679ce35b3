"""Health checks that cost next to nothing: `airflow jobs check` imports all of Airflow, every few seconds, in every container.

healthy.py http <url>         it answers with 200
healthy.py job <job type>     this container's job, as Airflow's database has it, is alive
healthy.py worker             this container's Celery worker answers a ping
"""

from __future__ import annotations

import os
import socket
import sys
import urllib.request

FRESH_SECONDS = 60


def http(url: str) -> bool:
    """Whether it answers with 200."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  the address stands in docker-compose.yaml
        return bool(answer.status == 200)


def job(job_type: str) -> bool:
    """Whether a job of that type on this host told the database lately that it lives."""
    import psycopg

    url = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg", "")
    query = """
        SELECT 1 FROM job WHERE job_type = %s AND hostname = %s AND state = 'running'
        AND latest_heartbeat > now() - make_interval(secs => %s)
    """
    with psycopg.connect(url, connect_timeout=10) as connection:
        return connection.execute(query, (job_type, socket.getfqdn(), FRESH_SECONDS)).fetchone() is not None


def worker() -> bool:
    """Whether the worker of this host answers."""
    from celery import Celery

    app = Celery(broker=os.environ["AIRFLOW__CELERY__BROKER_URL"])
    return bool(app.control.ping(destination=[f"celery@{socket.gethostname()}"], timeout=10, limit=1))


if __name__ == "__main__":
    checks = {"http": http, "job": job, "worker": worker}
    sys.exit(0 if checks[sys.argv[1]](*sys.argv[2:]) else 1)
