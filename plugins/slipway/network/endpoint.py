"""Which endpoints a model file needs. Pure: the addresses may still hold Jinja."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from slipway.core.firewall_section import AwsSecurityGroup
from slipway.core.kubernetes_section import KubernetesTarget
from slipway.core.model_file import ModelFile


class Endpoint(TypedDict):
    """One thing the run needs to reach.

    `kind` is ``source`` (a dataset to read), ``store`` (to read and write), ``ec2``, ``api_keys`` (the served endpoint's),
    ``registry`` (to push an image to), ``docker`` (an engine), ``kubernetes`` (a cluster) or ``unavailable`` (declared, but
    not part of this version: the check fails before anything is trained); `address` a URI, a region, a repository, a
    namespace, or the reason. `parts` are the Roles in serving/k8s/rbac/ whose permissions are needed there.
    """

    name: str
    kind: str
    address: str
    conn_id: str | None
    parts: NotRequired[list[str]]


def endpoints_of(model: ModelFile, dataset_uri: str | None = None) -> list[Endpoint]:
    """Every endpoint a run of `model` will need.

    Args:
        model: the model file.
        dataset_uri: where the run reads from, if not from the model file's URI.
    """
    endpoints: list[Endpoint] = [
        {
            "name": "dataset",
            "kind": "source",
            "address": dataset_uri or model.dataset.uri,
            "conn_id": model.dataset.conn_id,
        },
        {"name": "store", "kind": "store", "address": model.store, "conn_id": model.store_conn_id},
    ]
    groups = [firewall.aws_security_group for firewall in model.firewall if firewall.aws_security_group]
    return [
        *endpoints,
        *(_security_group(group) for group in groups),
        *_api_keys(model),
        *_containers(model),
        *_clusters(model),
        *_unavailable(model),
    ]


def _security_group(group: AwsSecurityGroup) -> Endpoint:
    return {
        "name": f"security group {group.name}",
        "kind": "ec2",
        "address": group.region or "",
        "conn_id": group.conn_id,
    }


def _api_keys(model: ModelFile) -> list[Endpoint]:
    if model.access.open or not model.deploy:
        return []
    conn_id = model.access.conn_id
    return [{"name": f"API keys {conn_id}", "kind": "api_keys", "address": conn_id, "conn_id": conn_id}]


def _containers(model: ModelFile) -> list[Endpoint]:
    """The registry, and each Docker engine once: one may build the image and another run it."""
    image = model.image
    if image is None:
        return []
    pushed = [
        image.repository,
        *([image.base_repository] if image.engine_conn_id and "@" not in image.base_repository else []),
    ]
    engines = [image.engine_conn_id, *(deployment.docker.conn_id for deployment in model.deploy if deployment.docker)]
    own = image.repository.partition("/")[0]  # the log-in is that registry's
    registries = [
        _registry(repository, image.conn_id if repository.partition("/")[0] == own else None)
        for repository in pushed
        if not repository.startswith("oci:")
    ]
    return [*registries, *(_engine(conn_id) for conn_id in dict.fromkeys(engines) if conn_id)]


def _registry(repository: str, conn_id: str | None) -> Endpoint:
    return {"name": f"registry {repository}", "kind": "registry", "address": repository, "conn_id": conn_id}


def _engine(conn_id: str) -> Endpoint:
    return {"name": f"Docker engine {conn_id}", "kind": "docker", "address": conn_id, "conn_id": conn_id}


def _clusters(model: ModelFile) -> list[Endpoint]:
    """Each cluster's namespace once, with what is to be done there."""
    parts: dict[tuple[str, str], list[str]] = {}
    for target in (deployment.kubernetes for deployment in model.deploy if deployment.kubernetes):
        parts[target.conn_id, target.namespace] = ["role", *_exposing(target)]
    if pod := model.train.pod:
        parts.setdefault((pod.conn_id, pod.namespace), []).append("training")
    return [
        {
            "name": f"Kubernetes {conn_id}, namespace {namespace}",
            "kind": "kubernetes",
            "address": namespace,
            "conn_id": conn_id,
            "parts": needed,
        }
        for (conn_id, namespace), needed in parts.items()
    ]


def _exposing(target: KubernetesTarget) -> list[str]:
    """The Roles for what leads to the Service."""
    if target.expose and target.expose.gateway:
        return ["gateway", "own_gateway"] if target.expose.gateway.class_name else ["gateway"]
    return ["ingress"] if target.expose and target.expose.ingress else []


def _unavailable(model: ModelFile) -> list[Endpoint]:
    """What the file declares and this version cannot do."""
    names = ["https"] if model.https else []
    return [{"name": name, "kind": "unavailable", "address": name, "conn_id": None} for name in names]
