"""A Kubernetes cluster behind an Airflow connection of type `kubernetes`."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from slipway.cluster.api import Cluster
from slipway.cluster.patience import Patience
from slipway.cluster.status import shown
from slipway.cluster.watching import AsyncCluster
from slipway.core.errors import AbsentError, ConfigurationError

_FAILED = "could not read the cluster's address"
_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


class ClusterHook:
    """Connects to the cluster that the Airflow connection `conn_id` names, on first use only.

    The connection's extra names one of ``kube_config`` (content), ``kube_config_path`` and ``in_cluster: true``, and
    may name ``cluster_context``. Without a connection, an Airflow that itself runs in a pod uses the pod's own account.
    """

    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id

    def cluster(self, namespace: str, *, patience_seconds: float = 30.0) -> Cluster:
        """The namespace, not yet connected.

        The first call of the result raises, besides its own errors:
            AbsentError: there is no such connection, or no kubeconfig where it says.
            ConfigurationError: it cannot be read.
        """
        return Cluster(self._connect, namespace, self.conn_id, patience=Patience(patience_seconds))

    @asynccontextmanager
    async def watching(self, namespace: str) -> AsyncIterator[AsyncCluster]:
        """The namespace for a trigger; the connection is closed at the end. Raises as `cluster`'s first call."""
        from airflow.providers.cncf.kubernetes.hooks.kubernetes import AsyncKubernetesHook
        from kubernetes_asyncio.client import Configuration

        extra = await self._async_extra()
        configuration = Configuration()
        configuration.verify_ssl = not _is_true(extra, "disable_verify_ssl")
        hook = AsyncKubernetesHook(
            conn_id=self.conn_id, connection_extras=dict(extra), client_configuration=configuration
        )
        async with AsyncExitStack() as opened:
            with self._translated(extra):
                client = await opened.enter_async_context(hook.get_conn())
            yield AsyncCluster(client, namespace, self.conn_id)

    def _connect(self) -> Any:
        from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook
        from airflow.sdk import BaseHook
        from airflow.sdk.exceptions import AirflowNotFoundException
        from kubernetes.client import Configuration

        try:
            extra = BaseHook.get_connection(self.conn_id).extra_dejson
        except AirflowNotFoundException as error:
            extra = self._extra_without_connection(error)
        configuration, hook = Configuration(), KubernetesHook(conn_id=self.conn_id)
        hook.conn_extras = dict(extra)
        if not _is_true(extra, "in_cluster"):
            # Without a configuration of its own the provider changes the process's, for every other cluster too;
            # with one it forgets what it read of the pod's.
            configuration.verify_ssl = not _is_true(extra, "disable_verify_ssl")
            hook.client_configuration, hook.conn_extras = configuration, _without_verify(extra)
        with self._translated(extra):
            return hook.get_conn()

    async def _async_extra(self) -> Mapping[str, Any]:
        from airflow.providers.common.compat.connection import get_async_connection
        from airflow.sdk.exceptions import AirflowNotFoundException

        try:
            extra = (await get_async_connection(self.conn_id)).extra_dejson
        except AirflowNotFoundException as error:
            return self._extra_without_connection(error)
        chosen = any(_field(extra, name) for name in ("in_cluster", "kube_config", "kube_config_path"))
        # As the provider's other hook does, and this one does not: nothing chosen is the pod's own, if we are in one.
        return extra if chosen or not _in_pod() else {**extra, "in_cluster": True}

    def _extra_without_connection(self, error: Exception) -> Mapping[str, Any]:
        if _in_pod():
            return {"in_cluster": True}
        fix = (
            'Add one of type kubernetes whose extra names a kubeconfig, e.g. {"conn_type": "kubernetes", '
            '"extra": {"kube_config_path": "/home/airflow/.kube/config"}}.'
        )
        raise AbsentError(_FAILED, on=f"connection {self.conn_id}", why="there is none", fix=fix) from error

    @contextmanager
    def _translated(self, extra: Mapping[str, Any]) -> Iterator[None]:
        from airflow.exceptions import AirflowException
        from kubernetes.config import ConfigException
        from kubernetes_asyncio.config import ConfigException as AsyncConfigException
        from yaml import YAMLError

        on = f"connection {self.conn_id}"
        fix = "Correct kube_config, kube_config_path or in_cluster in the connection's extra."
        path = _field(extra, "kube_config_path")
        if path and not Path(path).exists():
            raise AbsentError(_FAILED, on=on, why=f"there is no file {path} where this runs", fix=fix)
        try:
            yield
        except YAMLError:  # its text quotes the kubeconfig, which holds credentials
            raise ConfigurationError(_FAILED, on=on, why="its kubeconfig is not YAML", fix=fix) from None
        except (AirflowException, ConfigException, AsyncConfigException, OSError, ValueError) as error:
            raise ConfigurationError(_FAILED, on=on, why=shown(str(error)), fix=fix) from error


def _field(extra: Mapping[str, Any], name: str) -> Any:
    return extra.get(name) or extra.get(f"extra__kubernetes__{name}")


def _without_verify(extra: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in extra.items() if not key.endswith("disable_verify_ssl")}


def _is_true(extra: Mapping[str, Any], name: str) -> bool:
    return str(_field(extra, name)).lower() == "true"


def _in_pod() -> bool:
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and _TOKEN.exists()
