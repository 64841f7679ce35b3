"""A boto3 client from an Airflow connection: keys, role, profile, region, endpoint and options as the connection has them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_made: dict[tuple[str | None, ...], Any] = {}


def aws_client(service: str, conn_id: str | None, region: str | None = None) -> Any:
    """The boto3 client of `service`; one for all in this process who ask for the same, if the connection itself holds the keys.

    Keys from elsewhere (a profile, a role, boto3's own search) may have changed when a process asks again.

    `AwsBaseHook.conn` would be the same client, and has every caller wait: it puts the operator's name into the user agent,
    which it gets from `inspect.stack`, which reads the path of every module there is (0.1 to 0.3 s beside pandas and
    scikit-learn). What a connection's extra says in `config_kwargs` wins over the limits given here.

    Args:
        service: as botocore names it, e.g. ``s3``.
        conn_id: Airflow connection of type ``aws``; None for boto3's own search.
        region: instead of the connection's.

    Raises:
        ImportError: the amazon provider is not installed.
        botocore.exceptions.BotoCoreError: the connection holds what cannot be used.
    """
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

    hook = AwsBaseHook(aws_conn_id=conn_id, client_type=service, region_name=region)
    connection = hook.conn_config
    if not _holds_keys(connection):
        return _new_client(hook, service)
    key = (service, hook.region_name, connection.login, connection.password, repr(connection.extra_config))
    if key not in _made:
        _made[key] = _new_client(hook, service)
    return _made[key]


def make_clients_ahead(conn_id: str, services: Iterable[str]) -> None:
    """Make now what `aws_client` would keep, if it would: for a role AWS would have to be asked."""
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

    if _holds_keys(AwsBaseHook(aws_conn_id=conn_id).conn_config):
        for service in services:
            aws_client(service, conn_id)


def _holds_keys(connection: Any) -> bool:
    return bool(connection.aws_access_key_id and not connection.role_arn)


def _new_client(hook: Any, service: str) -> Any:
    from botocore.config import Config

    limits = Config(
        connect_timeout=10,
        read_timeout=60,
        retries={"mode": "standard", "max_attempts": 4},
        user_agent_extra="Slipway",
    )
    return hook.get_session(region_name=hook.region_name).client(
        service,
        endpoint_url=hook.conn_config.get_service_endpoint_url(service_name=service),
        config=limits.merge(hook.config),
        verify=hook.verify,
    )
