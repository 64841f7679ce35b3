"""The credentials' half of a check: where an Airflow connection leads, and whether it lets us in."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from slipway.access.hook import ApiKeyHook
from slipway.aws.hook import aws_client
from slipway.cluster.hook import ClusterHook
from slipway.cluster.minimum_version import check_minimum_version
from slipway.cluster.permissions import check_permissions
from slipway.containers.engine_hook import DockerEngineHook
from slipway.containers.registry import Registry
from slipway.containers.registry_hook import open_registry
from slipway.containers.repository import Repository
from slipway.core.errors import AbsentError, ConfigurationError, DeniedError, UnavailableError
from slipway.network.endpoint import Endpoint
from slipway.network.probe import Step, probe_url
from slipway.storage.object_store import ObjectStore, open_object, open_store, split_uri


class ConnectivityHook:
    """Checks one endpoint the way the run will use it; connects on `check` only."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def check(self) -> list[Step]:
        """The steps taken, all of them ok.

        Raises:
            UnavailableError: a step of the way failed; DeniedError: the credentials do not work; AbsentError: what is
            asked for does not exist; ConfigurationError: declared, but not part of this version.
        """
        kind = self._endpoint["kind"]
        if kind == "unavailable":
            raise self._not_in_this_version()
        if kind == "source":
            _ = self._object  # no I/O: an address that cannot be one is not worth a look-up
        steps = self._reach()
        checks = {
            "source": self._read_source,
            "store": self._use_store,
            "ec2": self._ask_ec2,
            "api_keys": self._read_keys,
            "registry": self._push_to_registry,
            "docker": self._ask_engine,
            "kubernetes": self._ask_cluster,
        }
        return [*steps, checks[kind]()]

    def _reach(self) -> list[Step]:
        url = self._url()
        steps = probe_url(url) if url else []
        if steps and not steps[-1].ok:
            raise UnavailableError(
                "could not reach the endpoint",
                on=f"{self._endpoint['name']} ({url})",
                why=f"{steps[-1].name} failed: {steps[-1].detail}",
                fix="Check name, network and firewall between this worker and it; is it running?",
            )
        return steps

    def _url(self) -> str | None:
        """The HTTP endpoint behind the address; None for a local path."""
        if self._endpoint["kind"] == "ec2":
            return str(self._ec2.meta.endpoint_url)
        if self._endpoint["kind"] in {"api_keys", "docker", "kubernetes"}:
            return None
        if self._endpoint["kind"] == "registry":
            return self._registry.base_url.removesuffix("/v2")
        scheme, host, _ = split_uri(self._endpoint["address"])
        if scheme in {"http", "https"}:
            return f"{scheme}://{host}"
        if scheme == "gs":
            import os

            return os.environ.get("STORAGE_EMULATOR_HOST") or "https://storage.googleapis.com"
        return self._s3_url() if scheme == "s3" else None

    def _s3_url(self) -> str:
        from slipway.storage.s3_hook import S3Store

        store, _ = self._object
        assert isinstance(store, S3Store)
        return str(store.client.meta.endpoint_url)

    @cached_property
    def _object(self) -> tuple[ObjectStore, str]:
        """The store behind the address, and the key where it is a dataset's."""
        address, conn_id = self._endpoint["address"], self._endpoint["conn_id"]
        return (
            open_object(address, conn_id) if self._endpoint["kind"] == "source" else (open_store(address, conn_id), "")
        )

    def _read_source(self) -> Step:
        store, key = self._object
        try:
            size = store.size(key)
        except AbsentError as error:
            fix = "Check the URI; on a backfill or a schedule, whether this date has a file."
            raise AbsentError(
                "could not find the dataset", on=self._endpoint["address"], why=error.why, fix=fix
            ) from error
        return Step("credentials", True, 0.0, f"may read {self._endpoint['address']}, {size:,} bytes")

    def _use_store(self) -> Step:
        store, _ = self._object
        store.write(".slipway-connectivity", b"may be deleted")
        store.delete(".slipway-connectivity")
        return Step("credentials", True, 0.0, f"may write to {self._endpoint['address']}")

    def _read_keys(self) -> Step:
        keys = ApiKeyHook(self._endpoint["address"]).get_keys()
        return Step("credentials", True, 0.0, f"{len(keys.hashes)} API keys in connection {self._endpoint['address']}")

    @cached_property
    def _registry(self) -> Registry:
        return open_registry(Repository.parse(self._endpoint["address"]), self._endpoint["conn_id"])

    def _push_to_registry(self) -> Step:
        self._registry.check_push()
        return Step("credentials", True, 0.0, f"may push to {self._endpoint['address']}")

    def _ask_engine(self) -> Step:
        hook = DockerEngineHook(self._endpoint["address"])
        with hook.translated("could not ask the Docker engine", self._endpoint["name"]):
            version = hook.client.version()["Version"]
        return Step("credentials", True, 0.0, f"Docker {version} answers connection {self._endpoint['address']}")

    def _ask_cluster(self) -> Step:
        namespace, parts = self._endpoint["address"], self._endpoint["parts"]
        cluster = ClusterHook(self._endpoint["conn_id"] or "").cluster(namespace)
        version = cluster.version()
        if "role" in parts:
            check_minimum_version(version, self._endpoint["name"])
        check_permissions(cluster, parts)
        if "role" in parts:  # permissions are given for namespaces that do not exist, too
            probe = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "slipway-connectivity"}}
            cluster.apply(probe, dry_run=True)
        return Step("credentials", True, 0.0, f"Kubernetes {version}: may do what is needed in {namespace}")

    def _ask_ec2(self) -> Step:
        from botocore.exceptions import ClientError

        try:
            self._ec2.describe_security_groups(MaxResults=5)
        except ClientError as error:
            why = str(error)[:200]
            fix = "Allow ec2:DescribeSecurityGroups and the other actions README lists to this identity."
            raise DeniedError("could not ask EC2", on=self._endpoint["name"], why=why, fix=fix) from error
        return Step("credentials", True, 0.0, f"may describe security groups in {self._ec2.meta.region_name}")

    @cached_property
    def _ec2(self) -> Any:
        return aws_client("ec2", self._endpoint["conn_id"], self._endpoint["address"] or None)

    def _not_in_this_version(self) -> ConfigurationError:
        return ConfigurationError(
            "could not prepare the run",
            on=self._endpoint["name"],
            why="the model file declares it, but it is not part of this version of Slipway",
            fix="Remove it from the model file; `deploy: [process: {}]` serves from this machine.",
        )
