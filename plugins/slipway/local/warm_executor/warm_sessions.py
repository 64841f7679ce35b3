"""AWS sessions that share what botocore reads from its files, through Airflow's option `[aws] session_factory`.

Each session would read the description of its service anew: a megabyte of JSON, and ten for EC2.
"""

from __future__ import annotations

from typing import Any

import boto3  # noqa: TID253  this module is there to be imported ahead of the tasks
import botocore.session  # noqa: TID253
from airflow.providers.amazon.aws.hooks.base_aws import BaseSessionFactory

_LOADER = botocore.session.get_session().get_component("data_loader")
_spare: list[Any] = []  # a session without credentials, made before the fork: most tasks need one


def warm_up() -> None:
    """Load what clients load; a process's first client takes longer than what most tasks do with it."""
    for service in ("s3", "ec2"):
        _session("none", "none", region_name="us-east-1").client(service)
    _spare.append(botocore.session.get_session())


class WarmSessionFactory(BaseSessionFactory):
    """Airflow's own, but for the loader."""

    def _create_basic_session(self, session_kwargs: dict[str, Any]) -> boto3.session.Session:
        return _session(**session_kwargs)


def _session(*args: Any, **kwargs: Any) -> boto3.session.Session:
    session = _spare.pop() if _spare else botocore.session.get_session()
    session.register_component("data_loader", _LOADER)
    return boto3.session.Session(*args, botocore_session=session, **kwargs)
